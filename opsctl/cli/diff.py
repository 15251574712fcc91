"""`opsctl diff`: compare two releases, or what runs with this directory."""

from typing import Annotated

import typer

from opsctl.cli.options import group, plan_only
from opsctl.cli.run import run
from opsctl.cli.screens.releases import ReleasesScreen
from opsctl.releases.difference import Difference
from opsctl.releases.history import compare

app = group("Compare two releases, or what runs with this directory.")


@app.command()
def diff(
    context: typer.Context,
    before: Annotated[
        int | None, typer.Argument(metavar="A", help="A release; else what runs.", min=1)
    ] = None,
    after: Annotated[
        int | None, typer.Argument(metavar="B", help="A release; else this directory.", min=1)
    ] = None,
) -> int:
    """Show what changed: exit 0 nothing, 2 something."""
    invocation = plan_only(context)
    root = invocation.path.parent
    procedure = compare(invocation.clients, invocation.config, root, before, after)
    difference: Difference = run(invocation, procedure)
    ReleasesScreen(invocation.console, data=True).show(difference)
    return 0 if difference.is_empty else 2
