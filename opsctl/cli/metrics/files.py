"""`opsctl metrics --html` and `--png`: the charts as files."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl import disk
from opsctl.cli.installation import adding
from opsctl.cli.screens import metrics as screens
from opsctl.cli.screens.metrics import Shown
from opsctl.errors import ConfigError
from opsctl.metrics.picture import REQUIREMENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opsctl.cli.screens.console import Console
    from opsctl.metrics.chart import Mark


def require_matplotlib() -> None:
    """Raise ConfigError without matplotlib, before AWS is called."""
    if find_spec("matplotlib") is None:
        raise ConfigError(
            "--png draws with matplotlib, which is not installed", hint=adding(REQUIREMENT)
        )


def write(
    console: "Console", shown: Shown, marks: "Sequence[Mark]", html: Path | None, png: Path | None
) -> None:
    if html is not None:
        page = screens.as_page(shown, marks)
        _write(console, "page", html, page.encode(errors="backslashreplace"))
    if png is not None:
        _write(console, "picture", png, _picture(shown, marks))


def _picture(shown: Shown, marks: "Sequence[Mark]") -> bytes:
    try:
        return screens.as_picture(shown, marks)
    except ImportError as error:
        hint = adding(REQUIREMENT)
        raise ConfigError(f"matplotlib cannot be loaded: {error}", hint=hint) from error


def _write(console: "Console", kind: str, path: Path, content: bytes) -> None:
    disk.write(path, content)
    console.emit(kind, path=str(path))
    console.say(f"written: {path}")
