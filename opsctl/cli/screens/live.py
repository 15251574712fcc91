"""The part of a terminal that is drawn anew while something goes on; nothing anywhere else."""

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
    """A running rich Live on stderr, for the caller to stop; None without a terminal."""
    if not console.terminal:
        return None
    # Here, because rich is for terminals only and every command would pay for it.
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
