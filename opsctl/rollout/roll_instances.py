"""Replace the instances: look, plan, ask, then step by step, each seen before the next."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from opsctl import aws
from opsctl.alarms import mute
from opsctl.cause import fleet
from opsctl.config.model import Config
from opsctl.errors import Busy, OpsError
from opsctl.outcome import Outcome
from opsctl.plural import counted
from opsctl.procedure import Notice, Procedure, ask, explained, follow, look_at
from opsctl.rollout import instances, members, plan, startable
from opsctl.rollout.instances import LOOK, InstanceRoll, Machine, Step
from opsctl.snapshot import stacks
from opsctl.snapshot.instances import drained_by_hand, not_joined
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import change, definition, join, lock
from opsctl.stacks.absent import absent
from opsctl.stacks.operation import StackResult

if TYPE_CHECKING:
    from opsctl.aws import Clients

# What the stack's template starts instances with.
_TYPE = re.compile(r'^ *InstanceType: "([^"]+)"', re.MULTILINE)
_MACHINE = re.compile(r'"opsctl\.machine":"(\w+)"')
_AGAIN = timedelta(minutes=1)
_HALF_AN_HOUR = timedelta(minutes=30)


def machine(config: Config, state: StackState, image: str = "") -> Machine:
    """Return what the stack's instances should be, now or with another `image`."""
    return Machine(
        image or state.value("AmiId"), config.compute.instance_type, definition.machine(config)
    )


def preview(
    config: Config, state: StackState, image: str = "", *, everything: bool = False
) -> Procedure[bool]:
    """Yield the instances to be replaced once the stack is up to date. Returns True if there are
    any.

    Raises OpsError without room.
    """
    now = yield from look_at(LOOK)
    if now.group is None:
        return False
    roll = _begin(now, config, machine(config, state, image), everything=everything)
    planned = instances.plan(now, roll, config.compute.maximum)
    if planned.replacements:
        yield planned
    elif held := _drained(now):
        yield held
    return bool(planned.replacements)


def _starting(now: Snapshot) -> Notice | None:
    """Say which instances have not joined the cluster yet."""
    ids = [one.id for one in not_joined(now.group, now.instances) if not one.leaving]
    if not ids:
        return None
    verb = "has" if len(ids) == 1 else "have"
    return Notice(
        f"{', '.join(ids)} {verb} not joined the cluster yet; to see why: opsctl why; to "
        "replace what does not join in time: opsctl ecs roll-instances"
    )


def _drained(now: Snapshot) -> Notice | None:
    """Say which instances somebody set to DRAINING, and how they take tasks again."""
    held = drained_by_hand(now.instances, now.group)
    if not held:
        return None
    return Notice(
        f"{', '.join(one.id for one in held)}: DRAINING, set by hand, so without tasks; to let it "
        f"take them again: {fleet.activate(now, held)}",
        warning=True,
    )


def differ(clients: "Clients", config: Config, *, everything: bool = False) -> Procedure[bool]:
    """Yield the plan only. Returns True when an instance would be replaced."""
    command = "opsctl ecs roll-instances"
    state = yield from change.live(clients, "ecs", config, command)
    _require_same_cluster(state, config)
    _require_same_machine(clients, state, config)
    return (yield from preview(config, state, everything=everything))


def _require_same_cluster(state: StackState, config: Config) -> None:
    """Raise OpsError after a rename: instances start with what the stack has, not with the config's
    cluster.
    """
    named, made = config.ecs.cluster_name, state.outputs.get("ClusterName", "")
    if made not in ("", named):
        raise OpsError(
            f"opsctl.yaml names the cluster `{named}`, and it is still `{made}`",
            hint="opsctl ecs up",
        )


def _require_same_machine(clients: "Clients", state: StackState, config: Config) -> None:
    """Raise OpsError where the stack starts other instances than the config describes: new ones
    would differ, too.
    """
    template = stacks.template(clients.cloudformation, state.id)
    types, hashes = _TYPE.findall(template), _MACHINE.findall(template)
    wanted = config.compute.instance_type, definition.machine(config)
    if types and hashes and (types[0], hashes[0]) != wanted:
        raise OpsError(
            f"`{state.name}` starts other instances than opsctl.yaml asks for",
            hint="opsctl ecs up",
        )


def roll_instances(
    clients: "Clients", config: Config, *, everything: bool = False, agreed: bool = False
) -> Procedure[Outcome]:
    """Replace instances that differ, or `everything`. With `agreed` nobody is asked.

    Plans again when somebody else changed the stack first.
    """
    return (yield from join.again(lambda: _roll(clients, config, everything, agreed)))


def _roll(clients: "Clients", config: Config, everything: bool, agreed: bool) -> Procedure[Outcome]:
    state = yield from change.settle(clients, "ecs")
    if state is None or not state.exists:
        raise (yield from absent(config, "ecs"))
    _require_same_cluster(state, config)
    _require_same_machine(clients, state, config)
    now = yield from look_at(LOOK)
    roll = _begin(now, config, machine(config, state), everything=everything)
    planned = instances.plan(now, roll)
    yield planned
    group = now.group
    assert group is not None
    under_way = members.TAG in group.tags
    if not planned.replacements and not under_way:
        yield from filter(None, (_starting(now), _drained(now)))
        yield StackResult(state.name, Outcome("no-changes"))
        return Outcome("no-changes")
    yield from startable.require_elsewhere()
    old = counted(len(planned.replacements), "instance")
    question = f"replace {old} of `{config.ecs.cluster_name}`?"
    if under_way:
        question = f"continue to replace the instances of `{config.ecs.cluster_name}`?"
    if not agreed and not (yield from ask(question)):
        outcome = Outcome("cancelled", "no instance was replaced")
        return (yield from _end(clients, state, group.name, outcome))
    held = yield from lock.take(clients, "ecs", state.name)
    with held:
        # Look again: the question may have taken minutes.
        now = yield from look_at(LOOK)
        roll = _begin(now, config, machine(config, state), everything=everything)
        group = now.group
        if group is None or instances.plan(now, roll) != planned:
            raise Busy(f"the instances of `{config.ecs.cluster_name}` have changed")
        # A roll of everything that goes on keeps its beginning: what it launched stays.
        since = members.noted(group)[1] or (now.at if everything else None)
        steps = Steps(clients, config, group.name, since)
        steps.mark(roll.size)
        subject = f"the instances of `{config.ecs.cluster_name}` are being replaced"
        muted = yield from mute.begin(clients, config)
        followed = lock.watched(follow(roll, subject=subject, act=steps), muted.renew)
        ended = yield from held.renewed(followed)
        return (yield from _end(clients, state, group.name, ended.outcome))


class Steps:
    """Takes each step once, because AWS may be slow to show it, and again if AWS never shows it.

    A termination is never repeated: each one may make the group smaller.
    """

    def __init__(
        self, clients: "Clients", config: Config, group: str, since: datetime | None
    ) -> None:
        self._clients = clients
        self._since = since
        self._size = -1
        self._cluster = config.ecs.cluster_name
        self._group = group
        self._taken: dict[tuple[str, str, int], datetime] = {}

    def mark(self, size: int) -> None:
        """Tag the group, so that a roll continued after an interruption knows the final size."""
        if size != self._size:
            self._size = size
            _mark(self._clients, self._group, members.note(size, self._since))

    def __call__(self, roll: InstanceRoll, now: Snapshot) -> Iterable[object]:
        self.mark(roll.size)
        step = roll.step
        key = (step.action, step.instance, step.size)
        before = self._taken.get(key)
        late = before is not None and now.at - before > _AGAIN and step.action != "terminate"
        if before is None or late:
            self._take(step)
            self._taken[key] = now.at
        return ()

    def _take(self, step: Step) -> None:
        if step.action == "launch":
            self._clients.autoscaling.set_desired_capacity(
                AutoScalingGroupName=self._group, DesiredCapacity=step.size, HonorCooldown=False
            )
        elif step.action == "drain":
            self._clients.ecs.update_container_instances_state(
                cluster=self._cluster, containerInstances=[step.instance], status="DRAINING"
            )
        elif step.action == "terminate":
            self._clients.autoscaling.terminate_instance_in_auto_scaling_group(
                InstanceId=step.instance, ShouldDecrementDesiredCapacity=step.shrink
            )


def _begin(
    now: Snapshot, config: Config, machine: Machine, *, everything: bool = False
) -> InstanceRoll:
    """Return the roll as it stands, including one that was interrupted."""
    now.require("service", "tasks", "instances", "group")
    need = plan.requirement(now, config, now.service.desired if now.service else 0)
    group = now.group
    size, since = members.noted(group) if group else (0, None)
    moment = now.at if everything and since is None else since
    chosen = members.joined_before(now, moment) if moment else frozenset[str]()
    patience = config.compute.signal_timeout
    return InstanceRoll(
        machine,
        size,
        now.at,
        patience,
        standstill(config),
        need.task,
        everything=chosen,
        grown=group is not None and group.desired == size + 1,
    )


def standstill(config: Config) -> timedelta:
    """Return how long any single step may take: a start, a drain and a stop of the last task."""
    leaving = config.load_balancer.deregistration_delay + config.ecs.stop_timeout
    return max(_HALF_AN_HOUR, config.compute.signal_timeout + leaving)


def _mark(clients: "Clients", group: str, note: str) -> None:
    tag = {
        "ResourceId": group,
        "ResourceType": "auto-scaling-group",
        "Key": members.TAG,
        "Value": note,
        "PropagateAtLaunch": False,
    }
    clients.autoscaling.create_or_update_tags(Tags=[tag])  # type: ignore[list-item]  # a TypedDict


def unmark(clients: "Clients", group: str) -> Procedure[None]:
    tag = {"ResourceId": group, "ResourceType": "auto-scaling-group", "Key": members.TAG}
    try:
        clients.autoscaling.delete_tags(Tags=[tag])  # type: ignore[list-item]  # a TypedDict
    except Exception as error:
        if aws.fault(error) is None:
            raise
        yield Notice(
            f"every instance is replaced, but the tag `{members.TAG}` of `{group}` stays "
            f"({aws.translate(error)}); to remove it: opsctl ecs roll-instances",
            warning=True,
        )


def _end(clients: "Clients", state: StackState, group: str, outcome: Outcome) -> Procedure[Outcome]:
    if outcome.good:
        yield from unmark(clients, group)
    outcome = yield from explained(outcome)
    yield StackResult(state.name, outcome)
    return outcome
