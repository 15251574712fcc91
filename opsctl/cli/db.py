"""`opsctl db`: the cache, its subnet group and its security group."""

import typer

from opsctl.cli import stack
from opsctl.cli.options import Confirm, DryRun, Yes, group, opened, plan_only
from opsctl.cli.run import Answers
from opsctl.stacks import change, definition, remove

app = group("The database stack: ElastiCache, its security group and its subnet group.")


@app.command()
def plan(context: typer.Context) -> int:
    """Show what `up` would change: exit 0 nothing, 2 something."""
    invocation = plan_only(context)
    desired, bucket = definition.db(invocation.config), invocation.config.aws.bucket
    return stack.plan(invocation, change.preview(invocation.clients, desired, bucket=bucket))


@app.command()
def up(
    context: typer.Context,
    yes: Yes = False,
    dry_run: DryRun = False,
    confirm: Confirm = None,
) -> int:
    """Create or update the stack, and follow it to its end."""
    if dry_run:
        return plan(context)
    invocation = opened(context)
    invocation.warn()
    desired, bucket = definition.db(invocation.config), invocation.config.aws.bucket
    procedure = change.up(invocation.clients, desired, bucket=bucket)
    stack.change(invocation, procedure, Answers(yes, confirm or ()))
    return stack.status(invocation, "db")


@app.command()
def down(context: typer.Context, yes: Yes = False, confirm: Confirm = None) -> int:
    """Remove the stack, and the cache with it."""
    invocation = opened(context)
    name = definition.stack_name(invocation.config, "db")
    users = definition.stack_name(invocation.config, "ecs")
    procedure = remove.down(invocation.clients, "db", name, users=users)
    return stack.change(invocation, procedure, Answers(yes, confirm or ()))


@app.command()
def status(context: typer.Context) -> int:
    """Show the stack's state and outputs, and the cache."""
    return stack.status(opened(context), "db", rows=("cache",))
