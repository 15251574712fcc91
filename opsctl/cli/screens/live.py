"""The part of a terminal that is redrawn while something runs; nothing without a terminal."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opsctl.cli.screens.console import Console

if TYPE_CHECKING:
    from rich.console import RenderableType


def start(
    console: Console,
    render: "Callable[[], RenderableType]",
    *,
    per_second: int,
    transient: bool = False,
) -> Any:
    """Return a running rich Live on stderr, for the caller to stop; None without a terminal."""
    if not console.terminal:
        return None
    # Imported here, because only terminals need rich and it starts slowly.
    from rich.console import Console as Screen
    from rich.live import Live

    live = Live(
        get_renderable=render,
        console=Screen(stderr=True),
        refresh_per_second=per_second,
        transient=transient,
    )
    live.start()
    return live
