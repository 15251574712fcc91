"""`opsctl history`: who released what, when, how it ended, and what runs of it."""

from typing import Annotated

import typer

from opsctl.cli.options import group, is_given, opened, require_one
from opsctl.cli.run import run
from opsctl.cli.screens.releases import show_history, show_release
from opsctl.releases.history import history

app = group("Show the releases: who, when, what changed, how it ended.")


@app.command()
def releases(
    context: typer.Context,
    number: Annotated[int | None, typer.Argument(help="All of one release.", min=1)] = None,
    lines: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="N", help="How many, newest first.")
    ] = 20,
) -> int:
    """List the newest releases, or show all of one."""
    require_one({"the number of a release": number, "--lines": is_given(context, "lines")})
    invocation = opened(context)
    answer = run(invocation, history(invocation.clients, lines=lines, number=number))
    show = show_history if number is None else show_release
    show(invocation.console, answer)
    return 0
