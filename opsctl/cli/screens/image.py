"""A build or push while it happens: layers with bars on a terminal, plain lines anywhere else."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from opsctl.cli.screens import live
from opsctl.cli.screens.console import Console
from opsctl.images.make import ImageEvent

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH = 24
_LINES = 6


class ImageProgress:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._layers: dict[str, ImageEvent] = {}
        self._lines: list[str] = []
        self._live: Any = None

    def __enter__(self) -> Self:
        self._live = live.start(self._console, self._screen, per_second=6, transient=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, event: ImageEvent) -> None:
        progress = event.progress
        before = self._layers.get(progress.layer)
        if progress.layer:
            self._layers[progress.layer] = event
        else:
            self._lines = [*self._lines, progress.text][-_LINES:]
        # A layer that only moved on is a new bar, not a new line.
        if progress.layer and before is not None and before.progress.text == progress.text:
            return
        self._console.emit(
            "image",
            phase=event.phase,
            text=progress.text,
            layer=progress.layer,
            total=progress.total,
        )
        if self._live is None:
            layer = f"{progress.layer}: " if progress.layer else ""
            self._console.say(f"  {layer}{progress.text}")

    def _screen(self) -> "Table":
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1))
        for line in self._lines:
            table.add_row(Text(line, style="dim"))
        for layer, event in self._layers.items():
            done, total = event.progress.current, event.progress.total
            filled = round(_WIDTH * min(done / total, 1)) if total else 0
            bar = f"[{'#' * filled}{'.' * (_WIDTH - filled)}]" if total else ""
            table.add_row(Text(f"{layer}  {event.progress.text:<22} {bar}"))
        return table
