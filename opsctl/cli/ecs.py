"""`opsctl ecs`: cluster, service, load balancer, instances; and the repository they pull from."""

from dataclasses import replace
from typing import Annotated

import typer

from opsctl.cli import stack
from opsctl.cli.db import Confirm, DryRun
from opsctl.cli.options import Invocation, Yes, group, opened
from opsctl.snapshot import stacks as state
from opsctl.stacks import definition
from opsctl.stacks.definition import Stack

app = group("The service stack: cluster, service, load balancer, instances, log groups.")
UNRELEASED = "unreleased"


@app.command()
def plan(context: typer.Context) -> int:
    """Show what `up` would change: exit 0 nothing, 2 something."""
    invocation = opened(context)
    invocation.warn()
    return max(
        stack.plan(invocation, definition.ecr(invocation.config)),
        stack.plan(invocation, service_stack(invocation)),
    )


@app.command()
def up(
    context: typer.Context,
    yes: Yes = False,
    dry_run: DryRun = False,
    confirm: Confirm = None,
) -> int:
    """Create or update the repository and the service, and follow them to their end."""
    if dry_run:
        return plan(context)
    invocation = opened(context)
    invocation.warn()
    require_db(invocation)
    stack.up(invocation, definition.ecr(invocation.config), yes=yes)
    wanted = service_stack(invocation)
    stack.up(invocation, wanted, yes=yes, confirm=confirm)
    stack.status(invocation, wanted.name)
    if wanted.parameters["DesiredCount"] == "0":
        invocation.console.say("no release yet, so no task runs; next: opsctl update-tasks")
    return 0


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
    stack.down(
        invocation, definition.stack_name(invocation.config, "ecs"), yes=yes, confirm=confirm
    )
    images = definition.stack_name(invocation.config, "ecr")
    if repository:
        _empty(invocation, images)
        stack.down(invocation, images, yes=yes, confirm=confirm)
    else:
        invocation.console.say(f"kept `{images}` with its images; --repository removes it")
    return 0


@app.command()
def status(context: typer.Context) -> int:
    """Show the state and outputs of the repository and the service."""
    invocation = opened(context)
    stack.status(invocation, definition.stack_name(invocation.config, "ecr"))
    return stack.status(invocation, definition.stack_name(invocation.config, "ecs"))


def service_stack(invocation: Invocation) -> Stack:
    """The stack with the image it has; none yet means no task, because nothing could be pulled."""
    cloudformation = invocation.clients.cloudformation
    wanted = definition.ecs(invocation.config)
    found = state.describe(cloudformation, wanted.name)
    image = found.parameters.get("Image", "") if found and found.exists else ""
    released = bool(image) and not image.endswith(f":{UNRELEASED}")
    count = invocation.config.ecs.desired_count if released else 0
    if not image:
        repository = state.describe(cloudformation, definition.stack_name(invocation.config, "ecr"))
        uri = repository.outputs.get("RepositoryUri", "") if repository else ""
        image = f"{uri or invocation.config.image.repository}:{UNRELEASED}"
    return replace(
        wanted, parameters={**wanted.parameters, "Image": image, "DesiredCount": str(count)}
    )


def require_db(invocation: Invocation) -> None:
    """The service stack imports the cache's security group, so the cache comes first."""
    name = definition.stack_name(invocation.config, "db")
    state.outputs(invocation.clients.cloudformation, name, hint="opsctl db up")


def _empty(invocation: Invocation, name: str) -> None:
    found = state.describe(invocation.clients.cloudformation, name)
    if found is None or "RepositoryName" not in found.outputs:
        return
    ecr = invocation.clients.ecr
    repository = found.outputs["RepositoryName"]
    for page in ecr.get_paginator("list_images").paginate(repositoryName=repository):
        if page["imageIds"]:
            ecr.batch_delete_image(repositoryName=repository, imageIds=page["imageIds"])
