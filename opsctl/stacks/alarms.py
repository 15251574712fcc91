"""Bring up the stack of the alarms, which take no action before the first release, and report
alarms that were changed by hand.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from opsctl.alarms import actions, watched
from opsctl.alarms.watched import Watched
from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.plural import counted
from opsctl.procedure import Notice, Procedure, ask, look_at
from opsctl.snapshot import stacks
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.snapshot.taken import Named
from opsctl.stacks import change, definition, states
from opsctl.stacks.absent import absent
from opsctl.stacks.definition import Stack

if TYPE_CHECKING:
    from opsctl.aws import Clients


@dataclass(frozen=True, slots=True)
class Drift:
    """An alarm that differs from the catalogue although CloudFormation sees no change."""

    name: str
    changed: tuple[str, ...]


def preview(clients: "Clients", config: Config) -> Procedure[bool]:
    """Yield the plan and the drift. Returns True when `up` would change something."""
    stack, now = yield from _desired(clients, config)
    plan = yield from change.planned(clients, stack, bucket=config.aws.bucket)
    # An alarm that the plan changes is then as the config has it.
    touched = {one.logical_id for one in plan.changes}
    left = [one for one in _drifts(now, config) if one[0].alarm.logical_id not in touched]
    yield from (drift for _, drift in left)
    return bool(left) or not plan.is_empty


def up(clients: "Clients", config: Config) -> Procedure[Outcome]:
    """Bring the stack to its desired state, then restore each alarm that was changed by hand."""
    stack, _ = yield from _desired(clients, config)
    outcome = yield from change.up(clients, stack, bucket=config.aws.bucket)
    if not outcome.good:
        return outcome
    now = yield from look_at(watched.LOOK)
    drifted = _drifts(now, config)
    yield from (drift for _, drift in drifted)
    if drifted and (yield from ask("restore these alarms from opsctl.yaml?")):
        topic = now.output("alarms", "TopicArn")
        actions.put_back(clients.cloudwatch, [one for one, _ in drifted], topic)
        yield Notice(f"as the config has them again: {counted(len(drifted), 'alarm')}")
        return Outcome("done")
    return outcome


def _desired(clients: "Clients", config: Config) -> Procedure[tuple[Stack, Snapshot]]:
    now = (yield from look_at(watched.LOOK)).require("stacks", "subnets", "alarms")
    state = now.stack("ecs")
    if state is not None and state.status in states.DEAD:
        raise OpsError(
            f"{states.in_words(state)}; there is nothing in it to watch", hint="opsctl ecs up"
        )
    if state is None:
        raise (yield from absent(config, "ecs"))
    released = _released(now)
    if not released:
        yield Notice("nothing is released yet: the alarms take no action until then")
    zones = sorted({subnet.zone for subnet in now.subnets})
    stack = definition.alarms(config, zones, released=released)
    gone = yield from _deleted(clients, now, now.stack("alarms"))
    if gone:
        yield Notice(
            f"somebody deleted {', '.join(gone)}; `opsctl alarms up` makes that again", warning=True
        )
    # Without it, a change set does not look at what exists.
    return replace(stack, reverts_drift=bool(gone)), now


def _deleted(
    clients: "Clients", now: Snapshot, state: StackState | None
) -> Procedure[tuple[str, ...]]:
    """Return the alarms and the topic that the stack has made and that do not exist any more."""
    if state is None or state.status not in states.TAKES_CHANGES:
        return ()
    held = stacks.resources(clients.cloudformation, state.id)
    names = {alarm.name for alarm in now.alarms}
    alarms = [one.physical_id for one in held if one.resource_type == "AWS::CloudWatch::Alarm"]
    topics = [
        Named(one.logical_id, one.resource_type, one.physical_id)
        for one in held
        if one.resource_type == "AWS::SNS::Topic"
    ]
    look = Look(frozenset({"taken"}), (), wanted=tuple(topics))
    there = (yield from look_at(look)).require("taken").taken if topics else ()
    gone = [one.name for one in topics if one.logical_id not in {left.logical_id for left in there}]
    return tuple(f"`{name}`" for name in [*(one for one in alarms if one not in names), *gone])


def _released(now: Snapshot) -> bool:
    return bool(definition.release(now.stack("ecs")))


def _drifts(now: Snapshot, config: Config) -> list[tuple[Watched, Drift]]:
    released = _released(now)
    return [
        (one, Drift(one.name, tuple(changed)))
        for one in watched.watched(now, config)
        if (changed := watched.drift(one, released=released))
    ]
