"""Decide whether there is room to roll, by arithmetic over container instances. Pure.

ECS starts new tasks up to the maximum percent where they fit, waits for them to be healthy, and
stops old ones down to the minimum healthy percent. This does the same with numbers.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from opsctl.cause.telling import JOIN_LOGS
from opsctl.errors import OpsError
from opsctl.snapshot.instances import ContainerInstance
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.task_definitions import TaskDefinition

Lack = Literal["instances", "cpu", "memory", "ports", "limits"]
_UNLIMITED = 1 << 30


@dataclass(frozen=True, slots=True)
class TaskSize:
    """`cpu` in CPU units, `memory` in MiB.

    `ports` are fixed host ports only; others are dynamic.
    """

    cpu: int
    memory: int
    ports: frozenset[int] = frozenset()

    def count_on(self, free: "Instance | ContainerInstance") -> int:
        """Return how many tasks of this size fit into what remains on the instance."""
        if self.ports and free.ports & self.ports:
            return 0
        by_cpu = free.cpu // self.cpu if self.cpu else _UNLIMITED
        by_memory = free.memory // self.memory if self.memory else _UNLIMITED
        return max(0, min(by_cpu, by_memory, 1 if self.ports else _UNLIMITED))


@dataclass(frozen=True, slots=True)
class Instance:
    """A container instance that takes tasks: what remains on it, and its total (`whole_…`).

    CPU in CPU units, memory in MiB. `old` and `new` count the service's tasks from before the roll
    and of the roll.
    """

    id: str
    cpu: int
    memory: int
    ports: frozenset[int] = frozenset()
    whole_cpu: int = 0
    whole_memory: int = 0
    old: int = 0
    new: int = 0


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a rollout needs: the desired count, the deployment configuration, the task sizes."""

    desired: int
    minimum_percent: int
    maximum_percent: int
    task: TaskSize
    old_task: TaskSize

    @property
    def minimum(self) -> int:
        """The least number of healthy tasks. ECS rounds the minimum up and the maximum down."""
        return math.ceil(self.desired * self.minimum_percent / 100)

    @property
    def maximum(self) -> int:
        return self.desired * self.maximum_percent // 100


@dataclass(frozen=True, slots=True)
class Step:
    """`action` applied to `count` tasks, and the instances after it."""

    action: Literal["start", "stop"]
    count: int
    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """`room` is how many new tasks fit now; `waves` are the starts of the roll in order.

    `lack` is the resource that the first task which cannot start is short of, or None when all can.
    `choices` are changes after which the roll is possible.
    """

    room: int
    waves: tuple[int, ...]
    lack: Lack | None = None
    choices: tuple[str, ...] = ()

    @property
    def can_roll(self) -> bool:
        return self.lack is None


def instances(now: Snapshot) -> tuple[Instance, ...]:
    """Return the instances that take tasks, with the service's tasks on them.

    Starting ones count.
    """
    on = Counter(task.instance for task in now.tasks if not task.is_stopped)
    return tuple(
        Instance(
            id=one.id,
            cpu=one.cpu,
            memory=one.memory,
            ports=one.ports,
            whole_cpu=one.whole_cpu,
            whole_memory=one.whole_memory,
            old=on[one.arn],
        )
        for one in now.instances
        if one.takes_tasks
    )


def task_size(definition: TaskDefinition) -> TaskSize:
    return TaskSize(definition.cpu, definition.memory, definition.host_ports)


def forecast(
    instances: Sequence[Instance], need: Requirement, *, desired: int = 0, maximum: int = 0
) -> Forecast:
    """Forecast the roll. `desired` and `maximum` are sizes of the Auto Scaling group."""
    steps = list(roll(instances, need))
    waves = tuple(step.count for step in steps if step.action == "start")
    room = len(_place(instances, need, need.desired)[1])
    if sum(waves) >= need.desired:
        return Forecast(room, waves)
    last = steps[-1].instances if steps else tuple(instances)
    return Forecast(
        room,
        waves,
        _lack(last, need),
        tuple(_choices(instances, need, desired, maximum)),
    )


def starting(now: Snapshot, need: Requirement) -> tuple[int, int]:
    """Return how many tasks are missing, and how many of those fit beside everything that runs."""
    service = now.service
    missing = max(need.desired - service.running - service.pending, 0) if service else 0
    return missing, len(_place(instances(now), need, missing)[1])


def roll(instances: Sequence[Instance], need: Requirement) -> Iterator[Step]:
    """Yield each start and stop until all tasks are new, or nothing more can change."""
    now = tuple(instances)
    while True:
        new, old = sum(one.new for one in now), sum(one.old for one in now)
        allowed = min(need.desired - new, max(need.maximum - new - old, 0))
        now, started = _place(now, need, allowed)
        if started:
            yield Step("start", len(started), now)
        new = sum(one.new for one in now)
        stoppable = old if new >= need.desired else max(new + old - need.minimum, 0)
        now, stopped = _stop(now, need, min(old, stoppable))
        if stopped:
            yield Step("stop", stopped, now)
        if not started and not stopped:
            return


def _place(
    instances: Sequence[Instance], need: Requirement, count: int
) -> tuple[tuple[Instance, ...], list[str]]:
    """Start up to `count` tasks, each on the instance with the fewest.

    Returns the new instances and the ids of those that got a task.
    """
    by_id = {one.id: one for one in instances}
    placed: list[str] = []
    while len(placed) < count:
        fits = [one for one in by_id.values() if need.task.count_on(one)]
        if not fits:
            break
        best = min(fits, key=lambda one: (one.new + one.old, one.new, one.id))
        by_id[best.id] = replace(
            best,
            cpu=best.cpu - need.task.cpu,
            memory=best.memory - need.task.memory,
            ports=best.ports | need.task.ports,
            new=best.new + 1,
        )
        placed.append(best.id)
    return tuple(by_id.values()), placed


def _stop(
    instances: Sequence[Instance], need: Requirement, count: int
) -> tuple[tuple[Instance, ...], int]:
    """Stop `count` old tasks, each on the instance with the most. Returns the new instances and how
    many were stopped.
    """
    by_id = {one.id: one for one in instances}
    for _ in range(count):
        most = max(by_id.values(), key=lambda one: (one.old, one.id))
        by_id[most.id] = replace(
            most,
            cpu=most.cpu + need.old_task.cpu,
            memory=most.memory + need.old_task.memory,
            ports=most.ports - need.old_task.ports,
            old=most.old - 1,
        )
    return tuple(by_id.values()), count


def _lack(instances: Sequence[Instance], need: Requirement) -> Lack:
    """Return what is short on the instance that comes nearest to fitting one more task."""
    if not instances:
        return "instances"
    lacks: list[list[Lack]] = []
    for one in instances:
        missing: list[Lack] = []
        if one.cpu < need.task.cpu:
            missing.append("cpu")
        if one.memory < need.task.memory:
            missing.append("memory")
        if one.ports & need.task.ports:
            missing.append("ports")
        lacks.append(missing)
    nearest = min(lacks, key=len)
    return nearest[0] if nearest else "limits"


def _choices(
    instances: Sequence[Instance], need: Requirement, desired: int, maximum: int
) -> Iterator[str]:
    """Yield for each setting the smallest change after which every task can be rolled."""
    for percent in range(min(need.minimum_percent, 100) // 5 * 5, -1, -5):
        if percent < need.minimum_percent and _rolls(
            instances, replace(need, minimum_percent=percent)
        ):
            yield f"`ecs.minimum_healthy_percent: {percent}`"
            break
    if instances:
        yield from _bigger_fleet(instances, need, desired, maximum)
        yield from _smaller_task(instances, need)
    if need.maximum <= need.desired and _rolls(instances, replace(need, maximum_percent=200)):
        yield "`ecs.maximum_percent: 200`"


def _bigger_fleet(
    instances: Sequence[Instance], need: Requirement, desired: int, maximum: int
) -> Iterator[str]:
    model = max(instances, key=lambda one: (one.whole_cpu, one.whole_memory))
    for extra in range(1, need.desired + 1):
        fresh = [Instance(f"new-{n}", model.whole_cpu, model.whole_memory) for n in range(extra)]
        if _rolls([*instances, *fresh], need):
            total = len(instances) + extra
            if total <= desired:
                yield f"all {desired} instances of `compute.desired` ({len(instances)} take tasks)"
            else:
                yield f"`compute.{'desired' if total <= maximum else 'maximum'}: {total}`"
            return


def _smaller_task(instances: Sequence[Instance], need: Requirement) -> Iterator[str]:
    """Yield a smaller task: only the short resource shrinks, and only to a size worth trying."""
    cpu = max(one.cpu for one in instances) // 64 * 64
    memory = max(one.memory for one in instances) // 16 * 16
    task = TaskSize(min(need.task.cpu, cpu), min(need.task.memory, memory), need.task.ports)
    if task == need.task or task.cpu < 64 or task.memory < 32:
        return
    if _rolls(instances, replace(need, task=task)):
        yield f"smaller tasks: `ecs.cpu: {task.cpu}`, `ecs.memory: {task.memory}`"


def _rolls(instances: Sequence[Instance], need: Requirement) -> bool:
    return sum(step.count for step in roll(instances, need) if step.action == "start") >= (
        need.desired
    )


def require(forecast: Forecast, need: Requirement, now: Snapshot) -> None:
    """Raise OpsError with the reason and the choices if not every task can be started."""
    if forecast.can_roll:
        return
    if forecast.lack == "instances":
        why, cause = "none has joined the cluster", "instance-never-joined"
        if now.instances:
            cause = "agent-disconnected"
            why = f"{len(now.instances)} are registered, none of them ACTIVE with a connected agent"
        raise OpsError(
            f"cannot start: no instance takes tasks: {why}",
            hint=JOIN_LOGS,
            cause=cause,
        )
    started = sum(forecast.waves)
    what = f"only {started} of {need.desired} tasks fit" if started else "not one task fits"
    choices = "; ".join(forecast.choices) or "a larger `compute.instance_type`"
    raise OpsError(
        f"cannot start: {what} (not enough {forecast.lack})",
        hint=f"choose one: {choices}; after a change in opsctl.yaml: opsctl ecs up",
        cause="no-room",
    )
