"""`opsctl update-tasks`: from a commit to healthy tasks, and the truth about how it ended."""

import time
from functools import partial
from typing import Annotated

import typer

from opsctl.cli import release, stack, watching
from opsctl.cli.options import Invocation, Yes, group, opened
from opsctl.cli.roll import Roll, Strategy
from opsctl.cli.screens.console import Console
from opsctl.config.duration import parse_duration
from opsctl.errors import ConfigError, OpsError, RolledBack, StackFailed
from opsctl.images import registry
from opsctl.rollout.outcome import Outcome
from opsctl.snapshot import stacks as state
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import definition
from opsctl.stacks.definition import Stack

app = group("Render the Caddyfile, build, push and roll the tasks.")


@app.command()
def update_tasks(
    context: typer.Context,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option(help="Show what would be done; change nothing.")] = False,
    image: Annotated[
        str | None, typer.Option(metavar="REF", help="Roll this digest or tag; build nothing.")
    ] = None,
    no_build: Annotated[
        bool, typer.Option(help="Only an image that the registry already has.")
    ] = False,
    strategy: Annotated[
        Strategy, typer.Option(help="Let ECS replace tasks, or stop them in waves.")
    ] = Strategy.ROLLING,
    force: Annotated[bool, typer.Option(help="Roll even when nothing changed.")] = False,
    timeout: Annotated[
        str, typer.Option(help="How long the tasks may take to become healthy.")
    ] = "20m",
) -> int:
    """Render the Caddyfile, build and push the image, roll the tasks, verify what runs."""
    invocation = opened(context)
    started = time.monotonic()
    patience = _seconds(timeout)
    found = _ready_stack(invocation, yes=yes)
    wanted = _wanted(invocation, image, no_build=no_build, dry_run=dry_run)

    def roll() -> Outcome | None:
        nonlocal found
        # Again, because a build takes minutes, and others do not wait for it.
        found = _ready_stack(invocation, yes=yes)
        work = Roll(invocation, found, wanted, strategy, patience)
        return _roll(work, yes=yes, dry_run=dry_run, force=force)

    outcome = stack.joining(invocation.console, roll)
    if outcome is not None:
        _conclude(invocation.console, wanted, outcome, seconds=time.monotonic() - started)
        _prune(invocation, used=[wanted.reference or "", found.parameters.get("Image", "")])
    return 0


def _conclude(console: Console, wanted: release.Wanted, outcome: Outcome, seconds: float) -> None:
    """Tell the outcome; raises what it means unless it is "deployed"."""
    console.emit(
        "release",
        outcome=outcome.kind,
        reason=outcome.reason,
        image=wanted.reference,
        commit=wanted.commit,
        seconds=round(seconds, 1),
    )
    outcome.require()
    console.say(f"deployed: {wanted.reference}")


def _roll(roll: Roll, *, yes: bool, dry_run: bool, force: bool) -> Outcome | None:
    """None when nothing was to be done, or nothing was to be changed."""
    if not roll.changes and not force and roll.is_steady():
        roll.console.say("nothing to roll: these tasks already run, and are healthy")
        roll.console.emit("release", outcome="no_changes", image=roll.wanted.reference)
        return None
    if roll.changes or force:
        roll.require_room()
    if dry_run:
        roll.show_plan()
        return None
    return roll.run(yes=yes, force=force)


def _ready_stack(invocation: Invocation, *, yes: bool) -> StackState:
    """The ecs stack, once nobody else is changing it."""
    name = definition.ecs(invocation.config).name
    wanted = Stack(name, "ecs", "", {}, (), {})
    found = stack.ready(invocation, wanted, yes=yes, join=_join)
    if found is None or not found.exists:
        raise OpsError(f"there is no stack `{name}`", hint="opsctl ecs up")
    return found


def _join(invocation: Invocation, found: StackState, after: str | None) -> None:
    """Follow somebody's rollout as if it were ours; any other operation by its events alone."""
    follow = partial(stack.follow, invocation, found.name, found.id, after)
    if found.status != "UPDATE_IN_PROGRESS":
        follow()
        return
    console = invocation.console
    watch = watching.start(invocation, found.parameters.get("Image", ""), joined=True)
    try:
        follow(sleep=partial(watching.look_and_sleep, console, watch))
    except (RolledBack, StackFailed) as error:
        raise watching.blamed(console, watch, error) from error


def _wanted(
    invocation: Invocation, image: str | None, *, no_build: bool, dry_run: bool
) -> release.Wanted:
    config, clients = invocation.config, invocation.clients
    repository = registry.repository(clients.ecr, config.image.repository)
    if image is not None:
        return release.Wanted(registry.resolve(clients.ecr, repository, image))
    db = definition.db(config).name
    outputs = state.outputs(clients.cloudformation, db, hint="opsctl db up")
    text = release.write_caddyfile(invocation, outputs, dry_run=dry_run)
    return release.make_image(invocation, repository, text, no_build=no_build, dry_run=dry_run)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise ConfigError(str(error), hint="for instance --timeout 20m") from error


def _prune(invocation: Invocation, *, used: list[str]) -> None:
    """Remove old images; the release stands whether or not this caller may do so."""
    config, ecr = invocation.config.image, invocation.clients.ecr
    repository = registry.repository(ecr, config.repository)
    try:
        removed = registry.prune(ecr, repository, keep=config.keep, used=used)
    except ecr.exceptions.ClientError as error:
        invocation.console.warn(f"old images were not removed: {error}")
        return
    if removed:
        invocation.console.say(f"removed {len(removed)} old images, beyond `image.keep`")
