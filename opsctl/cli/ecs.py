"""`opsctl ecs`: cluster, service, load balancer, instances; and the repository they pull from."""

from typing import Annotated

import typer

from opsctl.cli import stack
from opsctl.cli.options import Confirm, DryRun, Yes, group, opened, plan_only
from opsctl.cli.run import Answers
from opsctl.rollout import ecs

app = group("The service stack: cluster, service, load balancer, instances, log groups.")


NewAmi = Annotated[bool, typer.Option("--new-ami", help="Take the newest image for the instances.")]


@app.command()
def plan(context: typer.Context, new_ami: NewAmi = False) -> int:
    """Show what `up` would change: exit 0 nothing, 2 something."""
    invocation = plan_only(context)
    procedure = ecs.preview(invocation.clients, invocation.config, new_image=new_ami)
    return stack.plan(invocation, procedure)


@app.command()
def up(
    context: typer.Context,
    yes: Yes = False,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    new_ami: NewAmi = False,
) -> int:
    """Create or update the repository and the service, and follow them to their end."""
    if dry_run:
        return plan(context, new_ami)
    invocation = opened(context)
    invocation.warn()
    procedure = ecs.up(invocation.clients, invocation.config, new_image=new_ami)
    stack.change(invocation, procedure, Answers(yes, confirm or ()))
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


@app.command()
def status(context: typer.Context) -> int:
    """Show the state and outputs of the repository and the service."""
    return stack.status(opened(context), "ecr", "ecs")
