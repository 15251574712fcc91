"""Show a build or push: layers with bars on a terminal, plain lines elsewhere."""

from typing import TYPE_CHECKING

from opsctl.cli.screens import live
from opsctl.cli.screens.console import Console, printable
from opsctl.cli.screens.screen import Screen
from opsctl.images.make import ImageEvent
from opsctl.releases.make import Caddyfile, ReleaseImage

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH = 24
_LINES = 6
_DIFF_LINES = 40


class ImageScreen(Screen):
    """Shows the Caddyfile, the layers that are built and pushed, and the resulting image."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._layers: dict[str, ImageEvent] = {}
        self._lines: list[str] = []
        self._phase = ""
        self._live: live.Drawing | None = None

    def show(self, item: object) -> bool:
        if isinstance(item, ImageEvent):
            self._event(item)
        elif isinstance(item, Caddyfile):
            self._caddyfile(item)
        elif isinstance(item, ReleaseImage):
            self._image(item)
        else:
            return False
        return True

    def pause(self) -> None:
        self._console.unfold()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _image(self, image: ReleaseImage) -> None:
        pushed, self._phase = bool(self._phase), ""
        self.pause()
        digest = image.reference.rpartition("@")[2]
        if not image.content:
            return
        if not image.reference:
            self._console.emit("image", phase="missing", content=image.content)
            self._console.say(f"image: to be built and pushed as {image.target}")
        elif pushed:
            self._console.emit("image", phase="pushed", digest=digest, content=image.content)
            self._console.say(f"pushed {digest}, confirmed by the registry")
        else:
            self._console.emit("image", phase="found", digest=digest, content=image.content)
            self._console.say(f"image: same content as {digest[:19]}…: not built, not pushed")

    def _caddyfile(self, file: Caddyfile) -> None:
        console = self._console
        console.emit("caddyfile", file=str(file.path), sha256=file.sha256, changed=file.changed)
        if not file.changed:
            console.say(f"{file.path}: unchanged")
            return
        if not file.before:
            console.say(f"{file.path}: new")
            return
        lines = file.diff()
        console.say(f"{file.path} changes:")
        for line in lines[:_DIFF_LINES]:
            style = {"+": "good", "-": "bad"}.get(line[:1], "faint")
            console.say(f"  {console.style(style, printable(line))}")
        if len(lines) > _DIFF_LINES:
            console.say(f"  … and {len(lines) - _DIFF_LINES} lines more")

    def _event(self, event: ImageEvent) -> None:
        progress = event.progress
        if event.phase != self._phase:
            self.pause()
            self._phase, self._layers, self._lines = event.phase, {}, []
            self._console.fold(f"image: {event.phase}")
            self._live = live.start(self._console, self._screen, per_second=6, transient=True)
        before = self._layers.get(progress.layer)
        if progress.layer:
            self._layers[progress.layer] = event
        else:
            self._lines = [*self._lines, progress.text][-_LINES:]
        # A layer that only progressed is a new bar, not a new line.
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
            table.add_row(Text(printable(line), style="dim"))
        for layer, event in self._layers.items():
            done, total = event.progress.current, event.progress.total
            filled = round(_WIDTH * min(done / total, 1)) if total else 0
            bar = f"[{'#' * filled}{'.' * (_WIDTH - filled)}]" if total else ""
            table.add_row(Text(printable(f"{layer}  {event.progress.text:<22} {bar}")))
        return table
