"""`opsctl db`: the cache, its subnet group and its security group."""

from typing import Annotated

import typer

from opsctl.cli import stack
from opsctl.cli.options import Yes, group, opened
from opsctl.stacks import definition

app = group("The database stack: ElastiCache, its security group and its subnet group.")
DryRun = Annotated[bool, typer.Option(help="The same as `plan`.")]
Confirm = Annotated[
    str | None, typer.Option("--confirm", metavar="STACK", help="Its name, when data is lost.")
]


@app.command()
def plan(context: typer.Context) -> int:
    """Show what `up` would change: exit 0 nothing, 2 something."""
    invocation = opened(context)
    invocation.warn()
    return stack.plan(invocation, definition.db(invocation.config))


@app.command()
def up(
    context: typer.Context,
    yes: Yes = False,
    dry_run: DryRun = False,
    confirm: Confirm = None,
) -> int:
    """Create or update the stack, and follow it to its end."""
    invocation = opened(context)
    invocation.warn()
    wanted = definition.db(invocation.config)
    if dry_run:
        return stack.plan(invocation, wanted)
    stack.up(invocation, wanted, yes=yes, confirm=confirm)
    return stack.status(invocation, wanted.name)


@app.command()
def down(context: typer.Context, yes: Yes = False, confirm: Confirm = None) -> int:
    """Remove the stack, and the cache with it."""
    invocation = opened(context)
    stack.down(invocation, definition.stack_name(invocation.config, "db"), yes=yes, confirm=confirm)
    return 0


@app.command()
def status(context: typer.Context) -> int:
    """Show the stack's state and outputs."""
    invocation = opened(context)
    return stack.status(invocation, definition.stack_name(invocation.config, "db"))
