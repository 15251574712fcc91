"""Drain the instances that a change of the stack takes away, before CloudFormation takes them.

Auto Scaling ends the instances of a group that gets smaller with all their tasks, unless a
capacity provider drains them.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html
"""

from typing import TYPE_CHECKING

from opsctl.alarms import mute
from opsctl.cause import groups
from opsctl.config.model import Config
from opsctl.errors import Busy, OpsError
from opsctl.outcome import Outcome
from opsctl.plural import counted
from opsctl.procedure import Notice, Procedure, follow, look_at
from opsctl.rollout import agents, members, plan, roll_instances, startable
from opsctl.rollout.instances import LOOK, InstanceRoll, Machine
from opsctl.rollout.room import TaskSize
from opsctl.snapshot.instances import Group
from opsctl.snapshot.snapshot import Snapshot
from opsctl.stacks import change, join
from opsctl.stacks.changes import Plan
from opsctl.stacks.operation import Operation

if TYPE_CHECKING:
    from opsctl.aws import Clients

_GROUP, _PROVIDER = "AWS::AutoScaling::AutoScalingGroup", "AWS::ECS::CapacityProvider"
# An instance of any kind may stay.
_ANY = Machine("", "", "")


class Shrinking:
    """Observes the change of the service's stack, and passes on what `observer` wants to know."""

    def __init__(
        self, clients: "Clients", config: Config, observer: change.Observer | None
    ) -> None:
        self._clients, self._config, self._observer = clients, config, observer

    def planned(self, plan: Plan) -> Procedure[None]:
        yield from foresee(self._config, plan)
        if self._observer is not None:
            yield from self._observer.planned(plan)

    def begin(self, plan: Plan) -> Procedure[None]:
        yield from _shrink(self._clients, self._config, plan)
        if self._observer is not None:
            yield from self._observer.begin(plan)

    def follow(self, operation: Operation) -> Procedure[Outcome]:
        if self._observer is not None:
            return (yield from self._observer.follow(operation))
        return (yield from join.followed(self._clients, operation))

    def end(self, outcome: Outcome) -> Procedure[None]:
        if self._observer is not None:
            yield from self._observer.end(outcome)


def foresee(config: Config, plan: Plan) -> Procedure[None]:
    """Yield a notice of instances that will be drained first.

    Raises OpsError when their tasks have no other place, and when Auto Scaling would move them.
    """
    moves = "VPCZoneIdentifier" in _properties(plan)
    if not _changes_size(plan) and not moves:
        return
    now = yield from _look()
    if moves:
        _require_still(now, config, plan)
    size = _size_after(now, config, plan)
    if size is None or now.group is None:
        return
    _require_made(config, plan, now.group)
    yield from startable.require_elsewhere()
    _require_possible(now, now.group, _task(now, config), size)
    going = counted(now.group.desired - size, "instance")
    yield Notice(f"before that, {going} of `{now.group.name}` will be drained and terminated")


def _require_made(config: Config, plan: Plan, group: Group) -> None:
    """Raise OpsError when the same change makes anew what a task may need to start elsewhere."""
    absent = [change.logical_id for change in plan.changes if change.drift == "DELETED"]
    if not absent:
        return
    sizes = [f"--set compute.desired={group.desired}"]
    if group.desired > config.compute.maximum:
        sizes.append(f"--set compute.maximum={group.desired}")
    raise OpsError(
        f"{', '.join(absent)} must be there before an instance of `{group.name}` is drained",
        hint=f"opsctl {' '.join(sizes)} ecs up --revert-drift; then: opsctl ecs up",
    )


def _look() -> Procedure[Snapshot]:
    return (yield from agents.back((yield from look_at(LOOK)), LOOK))


def _shrink(clients: "Clients", config: Config, plan: Plan) -> Procedure[None]:
    """Drain and terminate one instance after another, until the group has its new size."""
    if not _changes_size(plan):
        return
    now = yield from _look()
    muted = None
    while (size := _size_after(now, config, plan)) is not None and now.group is not None:
        task = _task(now, config)
        _require_possible(now, now.group, task, size)
        muted = muted or (yield from mute.begin(clients, config))
        yield from _smaller(clients, config, now, now.group, task)
        muted.renew()
        now = yield from _look()


def _smaller(
    clients: "Clients", config: Config, now: Snapshot, group: Group, task: TaskSize
) -> Procedure[None]:
    size = group.desired - 1
    roll = InstanceRoll(
        _ANY,
        size,
        now.at,
        config.compute.signal_timeout,
        roll_instances.standstill(config),
        task,
        grown=True,
    )
    # An interrupted roll of every instance goes on afterwards.
    since = members.noted(group)[1]
    steps = roll_instances.Steps(clients, config, group.name, since)
    steps.mark(size)
    subject = f"`{group.name}` gets smaller: {group.desired} -> {size} instances"
    ended = yield from follow(roll, subject=subject, act=steps)
    if not ended.outcome.good:
        raise OpsError(
            f"{ended.step.text}; the stack was not changed, and what is left of the group serves",
            hint="remove the cause, then run: opsctl ecs up",
        )
    if since is None:
        yield from roll_instances.unmark(clients, group.name)
    if ended.size != size:
        raise Busy(f"somebody resized `{group.name}`")


def _changes_size(plan: Plan) -> bool:
    return bool(_properties(plan) & {"DesiredCapacity", "MaxSize"})


def _properties(plan: Plan) -> set[str]:
    """Return the changed properties of the group."""
    groups = [one for one in plan.changes if one.resource_type == _GROUP]
    return {one.name for group in groups if group.action == "Modify" for one in group.properties}


def _size_after(now: Snapshot, config: Config, plan: Plan) -> int | None:
    """Return the group's size after the plan, if that ends instances with tasks on them."""
    group, service, sizes = now.group, now.service, _properties(plan)
    if group is None or service is None or not service.desired or _drains(config, plan):
        return None
    size = config.compute.desired if "DesiredCapacity" in sizes else group.desired
    if "MaxSize" in sizes:
        size = min(size, config.compute.maximum)  # Auto Scaling lowers the size to it
    return size if size < group.desired else None


def _require_still(now: Snapshot, config: Config, plan: Plan) -> None:
    """Raise OpsError if Auto Scaling would end instances to balance the zones of other subnets.

    It does that in a group of any size, unless its process AZRebalance is suspended.
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html
    """
    group, service = now.group, now.service
    if group is None or service is None or not service.desired or _drains(config, plan):
        return
    if "AZRebalance" in group.suspended or not group.members:
        return
    processes = f"--auto-scaling-group-name {group.name} --scaling-processes AZRebalance"
    raise OpsError(
        f"with other subnets, Auto Scaling balances the zones of `{group.name}` anew, and ends "
        "instances together with their tasks",
        hint=f"one after another: aws autoscaling suspend-processes {processes}; opsctl ecs up; "
        f"opsctl ecs roll-instances --all; aws autoscaling resume-processes {processes}",
    )


def _drains(config: Config, plan: Plan) -> bool:
    """Return whether the group has a capacity provider and keeps it: its hook drains instances."""
    added = any(one.resource_type == _PROVIDER and one.action == "Add" for one in plan.changes)
    return config.compute.capacity_provider and not added


def _task(now: Snapshot, config: Config) -> TaskSize:
    return plan.requirement(now, config, now.service.desired if now.service else 0).task


def _require_possible(now: Snapshot, group: Group, task: TaskSize, size: int) -> None:
    """Raise OpsError, with the arithmetic, unless the instances that stay can hold every task."""
    if group.stands_still:
        raise OpsError(groups.stopped(group), hint=groups.resume(group), cause="asg-cannot-launch")
    if size < group.minimum:
        raise OpsError(
            f"the group may not get smaller than {group.minimum}, so none of its instances can be "
            f"drained to reach {size}",
            hint=f"first set `compute.minimum: {size}` alone, then run: opsctl ecs up",
        )
    # One that drains already, of a command that was interrupted, leaves first.
    draining = sum(one.status == "DRAINING" for one in now.instances)
    going = members.spare(now, group)[: max(group.desired - size - draining, 0)]
    leaving = {one.arn for one in going}
    tasks = sum(one.instance in leaving for one in now.tasks if not one.is_stopped)
    stay = [one for one in now.instances if one.takes_tasks and one.arn not in leaving]
    room = sum(task.count_on(one) for one in stay)
    if tasks > room:
        raise OpsError(
            f"{counted(len(going), 'instance')} to be terminated run "
            f"{counted(tasks, 'task')}, and the others have room for {room}",
            hint="set a larger `compute.desired`, then run: opsctl ecs up",
            cause="no-room",
        )
