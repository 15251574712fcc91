"""A rolling update of an Auto Scaling group: instances of an earlier launch go batch by batch, and
never so many at once that fewer than the policy's minimum are in service."""

from dataclasses import dataclass, field

from opsctl_sandbox.cluster import instances
from opsctl_sandbox.cluster.values import Group, Instance
from opsctl_sandbox.cluster.world import World

_LAUNCH_WAIT = 900.0
_TOO_LATE = "Failed to receive {number} resource signal(s) within the specified duration"
_REFUSED = (
    "Received 1 FAILURE signal(s) out of 1.  Unable to satisfy 100% "
    "MinSuccessfulInstancesPercent requirement"
)
_NO_ROOM = (
    "The group has no room to replace an instance: MinInstancesInService must be less than its "
    "maximum size"
)


@dataclass(frozen=True, slots=True)
class Policy:
    """CloudFormation's AutoScalingRollingUpdate; `pause` is also how long signals may take."""

    minimum: int = 0
    batch: int = 1
    pause: float = 0.0
    signals: bool = False


@dataclass(slots=True)
class Replacement:
    """One rolling update; `reason` is set when it ended without replacing all."""

    group: str
    policy: Policy
    desired: int
    """What the group wants again afterwards."""
    since: float
    present: frozenset[str]
    """The instances that were there when it began: they have nothing to signal any more."""
    total: int
    messages: list[str] = field(default_factory=list)
    done: bool = False
    reason: str = ""


def begin(world: World, group: Group, policy: Policy) -> Replacement:
    """Start; a group without instances of an earlier launch is done at once."""
    mine = instances.of_group(world, group.spec.name)
    old = _old(group, mine)
    present = frozenset(i.id for i in mine)
    update = Replacement(group.spec.name, policy, group.desired, world.now, present, len(old))
    if not old:
        update.done = True
        return update
    if policy.minimum >= group.spec.maximum:
        _fail(update, _NO_ROOM)
        return update
    update.messages.append(
        f"Rolling update initiated. Terminating {len(old)} obsolete instance(s) in batches of "
        f"{policy.batch}, while keeping at least {policy.minimum} instance(s) in service."
    )
    desired = max(group.desired, min(group.spec.maximum, policy.minimum + policy.batch))
    if desired > group.desired:
        update.messages.append(
            f"Temporarily setting autoscaling group MinSize and DesiredCapacity to {desired}."
        )
        group.desired = desired
        instances.balance(world, group)
    group.replacing = True
    world.after(world.timings.schedule, _tick, world, update)
    return update


def _old(group: Group, mine: list[Instance]) -> list[Instance]:
    return [i for i in mine if i.launch != group.spec.launch]


def in_service(instance: Instance, replacement: Replacement) -> bool:
    """Running, and, when the policy waits for signals, with its own."""
    if instance.state != "running":
        return False
    proved = instance.id in replacement.present or instance.signalled is True
    return proved or not replacement.policy.signals


def _tick(world: World, update: Replacement) -> None:
    group = world.groups.get(update.group)
    if group is None or group.deleting:
        update.done = True
        return
    _step(world, update, group)
    if update.done:
        group.replacing = False
        group.desired = min(update.desired, group.spec.maximum)
        instances.balance(world, group)
    else:
        world.after(world.timings.schedule, _tick, world, update)


def _step(world: World, update: Replacement, group: Group) -> None:
    mine = instances.of_group(world, update.group)
    serving = [i for i in mine if in_service(i, update)]
    fresh = [i for i in mine if i.id not in update.present]
    if update.policy.signals and any(i.signalled is False for i in fresh):
        _fail(update, _REFUSED)
        return
    missing = group.desired - len(serving)
    waited = world.now - update.since
    if missing > 0:
        if waited > (update.policy.pause if update.policy.signals else _LAUNCH_WAIT):
            _fail(update, _TOO_LATE.format(number=missing))
        return
    if not update.policy.signals and waited < update.policy.pause:
        return
    old = _old(group, mine)
    if not old:
        update.done = True
        return
    _replace_some(world, update, old, len(serving))


def _replace_some(world: World, update: Replacement, old: list[Instance], serving: int) -> None:
    number = min(update.policy.batch, len(old), serving - update.policy.minimum)
    if number < 1:
        _fail(update, _NO_ROOM)
        return
    doomed = old[:number]
    names = ",".join(i.id for i in doomed)
    update.messages.append(
        f"Terminating instance(s) [{names}]; replacing with {number} new instance(s)."
    )
    for instance in doomed:
        instances.leave(world, instance, "a user request, rolling update")
    # Whatever lifecycle hooks still wait for: CloudFormation does not.
    instances.balance(world, world.groups[update.group])
    progress = 100 * (update.total - len(old) + number) // update.total
    update.messages.append(f"Successfully terminated instance(s) [{names}] (Progress {progress}%).")
    update.since = world.now


def _fail(update: Replacement, reason: str) -> None:
    update.done, update.reason = True, reason
