"""Stack events on screen: a live tree on a terminal, one line an event anywhere else."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from opsctl.cli.screens import live
from opsctl.cli.screens.console import Console
from opsctl.stacks.apply import StackEvent

if TYPE_CHECKING:
    from rich.table import Table

_MARKS = {"COMPLETE": ("ok", "good"), "FAILED": ("failed", "bad"), "IN_PROGRESS": ("…", "warn")}


def mark(status: str) -> tuple[str, str]:
    """A word and a style for a status, so that colour says nothing alone."""
    if "ROLLBACK" in status and not status.endswith("IN_PROGRESS"):
        return ("rolled back", "bad")
    return next((found for end, found in _MARKS.items() if status.endswith(end)), ("", "faint"))


class StackProgress:
    def __init__(self, console: Console, stack: str) -> None:
        self._console = console
        self._stack = stack
        self._started = time.monotonic()
        self._resources: dict[str, tuple[StackEvent, float, float]] = {}
        self._live: Any = None

    def __enter__(self) -> Self:
        self.resume()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pause()

    def resume(self) -> None:
        self._live = live.start(self._console, self._tree, per_second=4)

    def pause(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, event: StackEvent) -> None:
        now = time.monotonic()
        first = self._resources.get(event.logical_id, (event, now, now))[1]
        self._resources[event.logical_id] = (event, first, now)
        self._console.emit(
            "stack_event",
            stack=event.stack,
            time=event.time,
            logical_id=event.logical_id,
            resource_type=event.resource_type,
            status=event.status,
            reason=event.reason,
        )
        if self._live is not None:
            if event.failed and event.is_cause:
                self._live.console.print(f"{event.logical_id}: {event.reason}", style="red")
            return
        word, _ = mark(event.status)
        reason = f"  {event.reason}" if event.reason else ""
        self._console.say(
            f"{now - self._started:6.1f}s  {event.status:<28} {event.logical_id}"
            f"{f'  [{word}]' if word == 'failed' else ''}{reason}"
        )

    def _tree(self) -> "Table":
        from rich.table import Table

        now = time.monotonic()
        colours = {"good": "green", "bad": "red", "warn": "yellow", "faint": "dim"}
        table = Table.grid(padding=(0, 2))
        for event, first, last in self._resources.values():
            word, style = mark(event.status)
            seconds = (now if event.status.endswith("IN_PROGRESS") else last) - first
            kind = "" if event.is_stack else event.resource_type.removeprefix("AWS::")
            name = event.logical_id if event.is_stack else f"  {event.logical_id}"
            table.add_row(
                name, f"[dim]{kind}[/]", f"[{colours[style]}]{word}[/]", f"{seconds:5.1f}s"
            )
        return table
