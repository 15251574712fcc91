"""`opsctl db`: the cache, its subnet group and its security group."""

from typing import Annotated

import typer

from opsctl.cli import stack
from opsctl.cli.options import Confirm, DryRun, RevertDrift, Yes, group, opened, plan_only
from opsctl.cli.run import Answers, run
from opsctl.cli.screens.backups import BackupsScreen
from opsctl.outcome import Outcome
from opsctl.snapshot.snapshot import Look

app = group("The database stack: ElastiCache, its security group and its subnet group.")


FromSnapshot = Annotated[
    str | None, typer.Option(metavar="NAME", help="A snapshot whose data a new cache begins with.")
]


@app.command()
def plan(
    context: typer.Context, from_snapshot: FromSnapshot = None, revert_drift: RevertDrift = False
) -> int:
    """Show what `up` would change: exit 0 nothing, 2 something."""
    from opsctl.stacks import db

    invocation = plan_only(context)
    clients, config = invocation.clients, invocation.config
    procedure = db.preview(clients, config, snapshot=from_snapshot, reverts_drift=revert_drift)
    return stack.plan(invocation, procedure)


@app.command()
def up(
    context: typer.Context,
    yes: Yes = False,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    from_snapshot: FromSnapshot = None,
    revert_drift: RevertDrift = False,
) -> int:
    """Create or update the stack, and follow it to its end."""
    from opsctl.stacks import db

    if dry_run:
        return plan(context, from_snapshot, revert_drift)
    invocation = opened(context)
    invocation.warn()
    clients, config = invocation.clients, invocation.config
    procedure = db.up(clients, config, snapshot=from_snapshot, reverts_drift=revert_drift)
    stack.change(invocation, procedure, Answers(yes, confirm or ()))
    return stack.status(invocation, "db")


@app.command()
def down(context: typer.Context, yes: Yes = False, confirm: Confirm = None) -> int:
    """Remove the stack, and the cache with it."""
    from opsctl.stacks import remove

    invocation = opened(context)
    procedure = remove.down(invocation.clients, invocation.config, "db")
    return stack.change(invocation, procedure, Answers(yes, confirm or ()))


@app.command()
def snapshot(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Default: the cache's name and the time.")
    ] = (None),
    yes: Yes = False,
) -> int:
    """Save what the cache holds; `up --from-snapshot` begins a new cache with it."""
    from opsctl.stacks import db

    invocation = opened(context)
    procedure = db.take_snapshot(invocation.clients, invocation.config, name)
    screen = BackupsScreen(invocation.console)
    outcome: Outcome = run(invocation, procedure, screen, answers=Answers(yes))
    outcome.require()
    return 0


@app.command()
def snapshots(context: typer.Context) -> int:
    """List the snapshots of the cache, the newest first."""
    invocation = opened(context)
    screen = BackupsScreen(invocation.console, data=True)
    now = invocation.reader(Look(frozenset({"backups"}), ())).require("backups")
    for one in now.backups:
        screen.show(one)
    if not now.backups:
        invocation.console.say(f"`{now.names.cache}` has no snapshot")
    return 0


@app.command()
def status(context: typer.Context) -> int:
    """Show the stack's state and outputs, and the cache."""
    return stack.status(opened(context), "db", rows=("cache",))
