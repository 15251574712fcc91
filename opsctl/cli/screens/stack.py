"""Show a stack's events: as a live tree on a terminal, elsewhere one line each."""

import shutil
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from opsctl.cli.screens import live
from opsctl.cli.screens.console import Console, printable
from opsctl.cli.screens.screen import Screen
from opsctl.snapshot.stacks import StackEvent, StackState
from opsctl.stacks.operation import Fleet, Removal, RollBegun, StackResult
from opsctl.stacks.states import MEANING

if TYPE_CHECKING:
    from rich.table import Table

_MARKS = {"COMPLETE": ("ok", "good"), "FAILED": ("failed", "bad"), "IN_PROGRESS": ("…", "warn")}
_COLOURS = {"good": "green", "bad": "red", "warn": "yellow", "faint": "dim"}


def mark(status: str) -> tuple[str, str]:
    """Return a word and a style for a status, so that nothing is said by colour alone."""
    if "ROLLBACK" in status and not status.endswith("IN_PROGRESS"):
        return ("rolled back", "bad")
    if status == "DELETE_COMPLETE":
        return ("removed", "faint")
    return next((word for end, word in _MARKS.items() if status.endswith(end)), ("", "faint"))


class StackScreen(Screen):
    """With `tree`, draws a live tree on a terminal; without, prints lines above another drawing."""

    def __init__(
        self, console: Console, *, tree: bool = True, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._draws = tree
        self._now = now
        self._started = 0.0
        # logical id -> (newest event, time of the first event, time of the newest)
        self._resources: dict[str, tuple[StackEvent, float, float]] = {}
        self._live: live.Drawing | None = None

    def show(self, item: object) -> bool:
        if isinstance(item, StackEvent):
            self._event(item)
        elif isinstance(item, Fleet):
            self._fleet(item)
        elif isinstance(item, StackState):
            self._state(item)
        elif isinstance(item, Removal):
            self._removal(item)
        elif isinstance(item, StackResult):
            self.pause()
            self._resources.clear()
            self._console.emit(
                "result",
                stack=item.stack,
                outcome=item.outcome.kind,
                reason=item.outcome.reason or None,
            )
        else:
            if isinstance(item, RollBegun):
                # The table of tasks takes the tree's place.
                self.pause()
                self._draws = False
            return False
        return True

    def pause(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _fleet(self, fleet: Fleet) -> None:
        self._console.emit(
            "fleet",
            desired=fleet.desired,
            launched=fleet.launched,
            joined=fleet.joined,
            refusal=fleet.refusal,
        )
        mark = self._console.style("bad", "! ") if fleet.refusal else "  "
        self._console.say(f"{mark}{fleet.text}")

    def _state(self, state: StackState) -> None:
        self._console.emit(
            "stack",
            stack=state.name,
            status=state.status,
            reason=state.reason,
            changed=state.changed,
            outputs=dict(state.outputs),
        )
        if not self._console.json:
            meaning = MEANING.get(state.status)
            self._console.data(f"{state.name}  {state.status}{f'  ({meaning})' if meaning else ''}")
            for name, value in state.outputs.items():
                self._console.data(f"  {name}: {value}")

    def _removal(self, removal: Removal) -> None:
        if removal.why:
            self._console.say(removal.why)
        for one in removal.resources:
            state = f"  {one.status}" if removal.why else f"  {one.physical_id}"
            stays = one.logical_id in removal.stays
            note = "  (stays)" if stays else ""
            if one.logical_id in removal.snapshots:
                note = "  (a last snapshot stays)"
            sign = " " if stays else "-"
            self._console.say(f"  {sign} {one.logical_id}  {one.resource_type}{state}{note}")

    def _event(self, event: StackEvent) -> None:
        now = self._now()
        if not self._resources:
            self._started = now
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
        if self._live is None and self._draws:
            self._live = live.start(self._console, self._tree, per_second=4)
        if self._live is not None:
            if event.is_cause:
                text = printable(f"{event.logical_id}: {event.reason}")
                self._live.print(text, "red")
            return
        word, _ = mark(event.status)
        reason = f"  {event.reason}" if event.reason else ""
        self._console.say(
            f"{now - self._started:6.1f}s  {event.status:<28} {event.logical_id}"
            f"{f'  [{word}]' if word == 'failed' else ''}{reason}"
        )

    def _tree(self) -> "Table":
        """Return the tree: the stack first, then its resources, running ones first."""
        from rich.table import Table
        from rich.text import Text

        now = self._now()
        table = Table.grid(padding=(0, 2))
        rows = sorted(self._resources.values(), key=lambda row: _order(row[0]))
        for event, first, last in rows[: shutil.get_terminal_size().lines - 2]:
            word, style = mark(event.status)
            seconds = (now if event.status.endswith("IN_PROGRESS") else last) - first
            kind = "" if event.is_stack else event.resource_type.removeprefix("AWS::")
            name = event.logical_id if event.is_stack else f"  {event.logical_id}"
            table.add_row(
                Text(printable(name)),
                Text(printable(kind), style="dim"),
                Text(word, style=_COLOURS[style]),
                Text(f"{seconds:5.1f}s"),
            )
        return table


def _order(event: StackEvent) -> tuple[bool, bool, bool]:
    running = event.status.endswith("IN_PROGRESS")
    return (not event.is_stack, not event.failed, not running)
