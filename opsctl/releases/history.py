"""What was released and what of it runs now; and the comparison of two releases."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl import aws, disk
from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.images import revision
from opsctl.procedure import Procedure, look_at
from opsctl.releases import closing, difference, facts
from opsctl.releases.difference import Changed, Difference
from opsctl.releases.plan import Options, Planner
from opsctl.rollout import plan as planning
from opsctl.rollout import verdict
from opsctl.rollout.plan import Order
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import definition
from opsctl.stacks.plan import Planning

if TYPE_CHECKING:
    from opsctl.aws import Clients

# These change with every release and are compared by their parts.
_OF_A_RELEASE = {"AWS::ECS::TaskDefinition", "AWS::ECS::Service"}


@dataclass(frozen=True, slots=True)
class ReleaseHistory:
    """`releases` are newest first. `live` says how what runs differs from `running`, or is ''."""

    at: datetime
    releases: tuple[Release, ...]
    running: Release | None = None
    live: str = ""


def history(
    clients: "Clients", *, lines: int, number: int | None = None
) -> Procedure[ReleaseHistory]:
    """Return the newest releases, or the one with this number. Closes those left open first."""
    numbers = () if number is None else (number,)
    now = yield from look_at(replace(closing.LOOK, releases=max(lines, 30), numbers=numbers))
    now.require("releases")
    known = yield from closing.close_open(clients, now)
    running = closing.running(now, known)
    shown = known[::-1][:lines]
    if number is not None:
        shown = tuple(one for one in known if one.number == number)
        if not shown:
            raise OpsError(f"there is no release {number}", hint="opsctl history")
    return ReleaseHistory(now.at, shown, running, differs(now, running))


def differs(now: Snapshot, running: Release | None) -> str:
    """Return how what runs differs from what the release says, or ''. Pure."""
    service, primary = now.service, now.primary
    if service is None or primary is None:
        return ""
    if running is None:
        return f"{primary.revision} runs, which no release of the ledger made"
    words = []
    if running.definition and running.definition != primary.revision and not running.running:
        words.append(f"{primary.revision} runs, not {running.definition}")
    if running.desired and service.desired != running.desired:
        words.append(f"{service.desired} tasks are desired, not {running.desired}")
    if service.running < service.desired:
        words.append(f"{service.running} of {service.desired} tasks run")
    return "; ".join(words)


def compare(
    clients: "Clients",
    config: Config,
    root: Path,
    before: int | None,
    after: int | None,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Procedure[Difference]:
    """Compare two releases, or one with this directory; without numbers, what runs with it."""
    now = yield from look_at(
        replace(facts.LOOK, numbers=tuple(one for one in (before, after) if one is not None))
    )
    now.require("stacks")
    if before is not None:
        now.require("releases")
    known = yield from closing.close_open(clients, now)
    if before is not None and after is not None:
        return _two(_numbered(known, before), _numbered(known, after), config, root)
    against = None if before is None else _numbered(known, before)
    compared = yield from Planner(clients, config, root, Options()).compare(against)
    state = now.stack("ecs")
    more: tuple[Changed, ...] = ()
    if state is not None and now.service is not None:
        more = (*drift(now, state, config), *_stack(clients, config, now, state, sleep))
    return replace(compared, changes=(*compared.changes, *more))


def drift(now: Snapshot, state: StackState, config: Config) -> tuple[Changed, ...]:
    """Return how what runs differs from what the stack asks for. Pure."""
    image = state.parameters.get("Image", "")
    plan = planning.plan(now, state, Order(image), config)
    words = [*plan.repairs, *plan.findings]
    if not words and now.service is not None and not verdict.settled(now):
        words.append(
            f"{now.service.running} of {now.service.desired} tasks run, "
            f"{now.healthy} targets are healthy"
        )
    return tuple(Changed("drift", text) for text in words)


def _stack(
    clients: "Clients",
    config: Config,
    now: Snapshot,
    state: StackState,
    sleep: Callable[[float], None],
) -> tuple[Changed, ...]:
    """Return what `ecs up` would change in addition to the release."""
    if state.in_progress:
        return (Changed("unread", f"`{state.name}` is {state.status}", rolls=False),)
    try:
        desired = definition.live(definition.ecs(config, state=state), config, now)
        with Planning(clients, desired, state, bucket=config.aws.bucket, sleep=sleep) as planned:
            changes = planned.plan.changes
    except Exception as error:
        refusal = aws.translate(error)
        if refusal is None:
            raise
        return (Changed("unread", refusal.message, rolls=False),)
    return tuple(
        Changed(
            "stack",
            f"{one.logical_id} {', '.join(part.name for part in one.properties)}".strip()
            + (f": {one.effect}" if one.effect else ""),
            rolls=False,
        )
        for one in changes
        if one.resource_type not in _OF_A_RELEASE
    )


def _two(before: Release, after: Release, config: Config, root: Path) -> Difference:
    directory = disk.real(root / config.image.context)
    commits = revision.commits(directory, before.commit, after.commit)
    changes = difference.between(before, after, commits=commits)
    if not changes and before.config != after.config:
        changes = (Changed("stack", "opsctl.yaml has changed", rolls=False),)
    return Difference(f"release {before.number}", f"release {after.number}", changes)


def _numbered(known: tuple[Release, ...], number: int) -> Release:
    chosen = next((one for one in known if one.number == number), None)
    if chosen is None:
        raise OpsError(f"there is no release {number}", hint="opsctl history")
    if not chosen.readable:
        raise OpsError(f"release {number} cannot be compared: {chosen.reason}")
    return chosen
