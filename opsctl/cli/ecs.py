"""`opsctl ecs`: cluster, service, load balancer, instances, and the image repository."""

from typing import Annotated

import typer

from opsctl.cli import moments, stack
from opsctl.cli.options import Confirm, DryRun, RevertDrift, Yes, group, opened, plan_only
from opsctl.cli.restart import restart
from opsctl.cli.run import Answers, run
from opsctl.cli.screens.board import BoardScreen
from opsctl.cli.screens.releases import ReleasesScreen
from opsctl.cli.screens.rollout import RolloutScreen
from opsctl.outcome import Outcome
from opsctl.releases import ecs as releasing
from opsctl.rollout import ecs, roll_instances
from opsctl.rollout import scale as scaling
from opsctl.rollout.ecs import Options

app = group("The service stack: cluster, service, load balancer, instances, log groups.")


NewAmi = Annotated[bool, typer.Option("--new-ami", help="Take the newest image for the instances.")]
Imports = Annotated[
    bool, typer.Option("--import", help="Take over log groups and a repository that exist already.")
]


@app.command()
def plan(
    context: typer.Context,
    new_ami: NewAmi = False,
    imports: Imports = False,
    revert_drift: RevertDrift = False,
) -> int:
    """Show what `up` would change: exit 0 nothing, 2 something."""
    invocation = plan_only(context)
    options = Options(new_ami, imports, revert_drift)
    procedure = ecs.preview(invocation.clients, invocation.config, options)
    return stack.plan(invocation, procedure)


@app.command()
def up(
    context: typer.Context,
    yes: Yes = False,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    new_ami: NewAmi = False,
    imports: Imports = False,
    revert_drift: RevertDrift = False,
) -> int:
    """Create or update the repository and the service, and follow them to their end."""
    if dry_run:
        return plan(context, new_ami, imports, revert_drift)
    invocation = opened(context)
    invocation.warn()
    clients, config = invocation.clients, invocation.config
    procedure = releasing.up(clients, config, Options(new_ami, imports, revert_drift))
    console = invocation.console
    screens = (
        BoardScreen(console, waits=True),
        ReleasesScreen(console),
        RolloutScreen(console),
    )
    stack.change(invocation, procedure, Answers(yes, confirm or ()), *screens)
    return stack.status(invocation, "ecs")


@app.command()
def down(
    context: typer.Context,
    yes: Yes = False,
    confirm: Confirm = None,
    repository: Annotated[
        bool, typer.Option("--repository", help="Also remove the repository, images and all.")
    ] = False,
) -> int:
    """Remove the service; the repository stays unless `--repository`."""
    invocation = opened(context)
    procedure = ecs.down(invocation.clients, invocation.config, repository=repository)
    return stack.change(invocation, procedure, Answers(yes, confirm or ()))


@app.command("roll-instances")
def roll(
    context: typer.Context,
    yes: Yes = False,
    dry_run: DryRun = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Replace every instance, not only those that differ.")
    ] = False,
) -> int:
    """Replace instances one after another without losing a request."""
    invocation = opened(context)
    clients, config = invocation.clients, invocation.config
    if dry_run:
        return stack.plan(invocation, roll_instances.differ(clients, config, everything=everything))
    procedure = roll_instances.roll_instances(clients, config, everything=everything)
    return stack.change(invocation, procedure, Answers(yes))


@app.command()
def scale(
    context: typer.Context,
    count: Annotated[int, typer.Argument(min=0, max=5000, help="How many tasks to run.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="How long to follow it.")
    ] = "10m",
) -> int:
    """Run this many tasks, until the config asks for another count."""
    invocation = opened(context)
    patience = moments.duration(timeout, "--timeout")
    clients, config = invocation.clients, invocation.config
    board, screen = BoardScreen(invocation.console), RolloutScreen(invocation.console)
    if dry_run:
        return 2 if run(invocation, scaling.preview(config, count), screen) else 0
    procedure = scaling.scale(clients, config, count, timeout=patience)
    answers = Answers(yes, confirm or ())
    outcome: Outcome = run(invocation, procedure, board, screen, answers=answers)
    outcome.require()
    return 0


app.command()(restart)


@app.command()
def status(context: typer.Context) -> int:
    """Show the state and outputs of the repository and the service."""
    rows = ("service", "tasks", "targets", "instances", "release")
    return stack.status(opened(context), "ecr", "ecs", rows=rows)
