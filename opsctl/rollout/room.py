"""Is there room to roll? Pure arithmetic over container instances, before anything is changed.

ECS starts new tasks up to the maximum percent where they fit, waits for them to be healthy, and
stops old ones down to the minimum healthy percent. This does the same with numbers.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Lack = Literal["instances", "cpu", "memory", "ports", "limits"]


@dataclass(frozen=True, slots=True)
class TaskSize:
    """`ports` are fixed host ports; dynamic ones take no room."""

    cpu: int
    memory: int
    ports: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Instance:
    """A container instance that takes tasks: what remains on it, and what it has when empty.

    `old` and `new` count the service's tasks before and after the roll.
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
class Wish:
    desired: int
    minimum_percent: int
    maximum_percent: int
    task: TaskSize
    old_task: TaskSize

    @property
    def minimum(self) -> int:
        """ECS rounds the minimum up and the maximum down."""
        return math.ceil(self.desired * self.minimum_percent / 100)

    @property
    def maximum(self) -> int:
        return self.desired * self.maximum_percent // 100


@dataclass(frozen=True, slots=True)
class Step:
    """`action` happened to `count` tasks and led to these instances."""

    action: Literal["start", "stop"]
    count: int
    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """`lack` is what the first task that cannot start has too little of; None when all can."""

    room: int
    waves: tuple[int, ...]
    lack: Lack | None = None
    choices: tuple[str, ...] = ()

    @property
    def can_roll(self) -> bool:
        return self.lack is None


def forecast(
    instances: Sequence[Instance], wish: Wish, *, desired: int = 0, maximum: int = 0
) -> Forecast:
    """`desired` and `maximum` are of instances, as the Auto Scaling group has them."""
    steps = list(roll(instances, wish))
    waves = tuple(step.count for step in steps if step.action == "start")
    room = len(_place(instances, wish, wish.desired)[1])
    if sum(waves) >= wish.desired:
        return Forecast(room, waves)
    last = steps[-1].instances if steps else tuple(instances)
    return Forecast(
        room, waves, _lack(last, wish), tuple(_choices(instances, wish, desired, maximum))
    )


def roll(instances: Sequence[Instance], wish: Wish) -> Iterator[Step]:
    """Yield each start and stop until all tasks are new, or nothing more can move."""
    now = tuple(instances)
    while True:
        new, old = sum(each.new for each in now), sum(each.old for each in now)
        allowed = min(wish.desired - new, max(wish.maximum - new - old, 0))
        now, started = _place(now, wish, allowed)
        if started:
            yield Step("start", len(started), now)
        new = sum(each.new for each in now)
        stoppable = old if new >= wish.desired else max(new + old - wish.minimum, 0)
        now, stopped = _stop(now, wish, min(old, stoppable))
        if stopped:
            yield Step("stop", stopped, now)
        if not started and not stopped:
            return


def _place(
    instances: Sequence[Instance], wish: Wish, count: int
) -> tuple[tuple[Instance, ...], list[str]]:
    """Start up to `count` tasks, each where the fewest are; the ids of where they went."""
    found = {each.id: each for each in instances}
    placed: list[str] = []
    while len(placed) < count:
        fits = [each for each in found.values() if _fits(each, wish.task)]
        if not fits:
            break
        best = min(fits, key=lambda each: (each.new + each.old, each.new, each.id))
        found[best.id] = replace(
            best,
            cpu=best.cpu - wish.task.cpu,
            memory=best.memory - wish.task.memory,
            ports=best.ports | wish.task.ports,
            new=best.new + 1,
        )
        placed.append(best.id)
    return tuple(found.values()), placed


def _stop(
    instances: Sequence[Instance], wish: Wish, count: int
) -> tuple[tuple[Instance, ...], int]:
    """Stop `count` old tasks, each where the most are."""
    found = {each.id: each for each in instances}
    for _ in range(count):
        most = max(found.values(), key=lambda each: (each.old, each.id))
        found[most.id] = replace(
            most,
            cpu=most.cpu + wish.old_task.cpu,
            memory=most.memory + wish.old_task.memory,
            ports=most.ports - wish.old_task.ports,
            old=most.old - 1,
        )
    return tuple(found.values()), count


def _fits(instance: Instance, task: TaskSize) -> bool:
    return (
        instance.cpu >= task.cpu
        and instance.memory >= task.memory
        and not instance.ports & task.ports
    )


def _lack(instances: Sequence[Instance], wish: Wish) -> Lack:
    """What stands in the way on the instance that comes nearest to taking one more task."""
    if not instances:
        return "instances"
    lacks: list[list[Lack]] = []
    for each in instances:
        missing: list[Lack] = []
        if each.cpu < wish.task.cpu:
            missing.append("cpu")
        if each.memory < wish.task.memory:
            missing.append("memory")
        if each.ports & wish.task.ports:
            missing.append("ports")
        lacks.append(missing)
    nearest = min(lacks, key=len)
    return nearest[0] if nearest else "limits"


def _choices(
    instances: Sequence[Instance], wish: Wish, desired: int, maximum: int
) -> Iterator[str]:
    """Each smallest single change after which everything rolls."""
    for percent in range(min(wish.minimum_percent, 100) // 5 * 5, -1, -5):
        if percent < wish.minimum_percent and _rolls(
            instances, replace(wish, minimum_percent=percent)
        ):
            yield f"`ecs.minimum_healthy_percent: {percent}`"
            break
    if instances:
        yield from _bigger_fleet(instances, wish, desired, maximum)
        yield from _smaller_task(instances, wish)
    if wish.maximum <= wish.desired and _rolls(instances, replace(wish, maximum_percent=200)):
        yield "`ecs.maximum_percent: 200`"


def _bigger_fleet(
    instances: Sequence[Instance], wish: Wish, desired: int, maximum: int
) -> Iterator[str]:
    model = max(instances, key=lambda each: (each.whole_cpu, each.whole_memory))
    for extra in range(1, wish.desired + 1):
        fresh = [Instance(f"new-{n}", model.whole_cpu, model.whole_memory) for n in range(extra)]
        if _rolls([*instances, *fresh], wish):
            total = len(instances) + extra
            if total <= desired:
                yield f"all {desired} instances of `compute.desired` ({len(instances)} take tasks)"
            else:
                yield f"`compute.{'desired' if total <= maximum else 'maximum'}: {total}`"
            return


def _smaller_task(instances: Sequence[Instance], wish: Wish) -> Iterator[str]:
    """Only the resource that is short is made smaller, and only to a size worth trying."""
    cpu = max(each.cpu for each in instances) // 64 * 64
    memory = max(each.memory for each in instances) // 16 * 16
    task = TaskSize(min(wish.task.cpu, cpu), min(wish.task.memory, memory), wish.task.ports)
    if task == wish.task or task.cpu < 64 or task.memory < 32:
        return
    if _rolls(instances, replace(wish, task=task)):
        yield f"smaller tasks: `ecs.cpu: {task.cpu}`, `ecs.memory: {task.memory}`"


def _rolls(instances: Sequence[Instance], wish: Wish) -> bool:
    return sum(step.count for step in roll(instances, wish) if step.action == "start") >= (
        wish.desired
    )
