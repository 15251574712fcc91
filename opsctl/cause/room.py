"""Causes for tasks that cannot be placed."""

import math
import re
from collections.abc import Iterator

from opsctl.cause import telling
from opsctl.cause.cause import Cause, Confidence, Evidence
from opsctl.cause.history import History
from opsctl.plural import counted
from opsctl.snapshot.instances import ContainerInstance
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.task_definitions import TaskDefinition

_UNPLACED = re.compile(
    r"unable to place(?! a task\. Reason: (?!Capacity))|cannot place|no container instance met",
    re.IGNORECASE,
)
# Pattern of ECS's sentence about the closest match -> the resource that is short.
_LACKS = (
    (re.compile(r"insufficient CPU|RESOURCE:CPU", re.IGNORECASE), "CPU"),
    (re.compile(r"insufficient memory|RESOURCE:MEMORY", re.IGNORECASE), "memory"),
    (re.compile(r"port required|RESOURCE:PORTS?", re.IGNORECASE), "ports"),
    (re.compile(r"ATTRIBUTE|missing an attribute", re.IGNORECASE), "attributes"),
    (re.compile(r"constraint|MemberOf|DistinctInstance", re.IGNORECASE), "placement constraints"),
)
_ELSEWHERE = re.compile(r'"AGENT"|agent connected|No Container Instances', re.IGNORECASE)
EXPLAINS = frozenset({"breaker-tripped", "resource-failed", "no-progress", "scaled-by-hand"})


def no_room(history: History) -> Iterator[Cause]:
    """Yield a Cause when tasks cannot be placed, by ECS's own words or by arithmetic. Yields
    nothing when no instance takes tasks at all.
    """
    said = _said(history)
    lacks = lacking(history.now)
    unplaced = _unplaced(history.now) - (0 if said else _read_later(history.now))
    if unplaced <= 0 or not (said or lacks):
        return
    word = _word(said.quote) if said else ""
    what = word or (lacks[0][1] if lacks else "")
    size = _size(history.now)
    yield Cause(
        "no-room",
        f"not one more task fits on the instances: not enough {what or 'room'}{size}",
        _sure(said, lacks, history),
        (*([said] if said else []), *_instances(history.now, lacks)),
        "more or larger instances, or smaller tasks: opsctl config show --origin; "
        "then run: opsctl ecs up",
        count=unplaced,
        deployment=telling.age(history, history.primaries[-1]) if history.primaries else 0,
        lasting=bool(lacks) and _at_maximum(history.now),
        explains=EXPLAINS,
    )


def lacking(now: Snapshot) -> list[tuple[ContainerInstance, str]]:
    """Return (instance, what it lacks) for each instance that takes tasks.

    The list is empty when one more task fits, or when the task's size is not known.
    """
    definition = _definition(now)
    takers = [one for one in now.instances if one.takes_tasks]
    if definition is None or not takers:
        return []
    lacks = [(one, _lack(one, definition)) for one in takers]
    return [] if any(not lack for _, lack in lacks) else lacks


def _lack(instance: ContainerInstance, task: TaskDefinition) -> str:
    missing = []
    if instance.cpu < task.cpu:
        missing.append("CPU")
    if instance.memory < task.memory:
        missing.append("memory")
    if instance.ports & task.host_ports:
        missing.append("ports")
    return " and ".join(missing)


def _unplaced(now: Snapshot) -> int:
    """Return how many tasks of the newest deployment are neither running nor pending."""
    service, primary = now.service, now.primary
    if service is None or primary is None or not any(one.takes_tasks for one in now.instances):
        return 0
    desired = max(primary.desired, service.desired)
    begun = sum(one.deployment == primary.id and not one.is_stopped for one in now.tasks)
    return max(desired - max(primary.running + primary.pending, begun), 0)


def _read_later(now: Snapshot) -> int:
    """Return how many tasks were started between the reads of the tasks and of the instances.

    The parts of a snapshot are read side by side: the room of such tasks is gone already.
    """
    held = sum(one.running + one.pending for one in now.instances)
    return max(held - sum(not one.is_stopped for one in now.tasks), 0) if now.tasks else 0


def _said(history: History) -> Evidence | None:
    """Return the newest event about lacking room, or None if a task was started after it."""
    events = [one for one in history.service_events.values() if _UNPLACED.search(one.text)]
    if not events:
        return None
    newest = max(events, key=lambda one: one.time.timestamp() if one.time else 0.0)
    if _ELSEWHERE.search(newest.text) and not _word(newest.text):
        return None
    started = telling.newest([task.created for task in history.tasks.values()])
    if newest.time and started and started > newest.time:
        return None
    return Evidence("ecs service event", telling.quoted(newest.text), newest.time)


def _word(text: str) -> str:
    return next((word for pattern, word in _LACKS if pattern.search(text)), "")


def _sure(
    said: Evidence | None, lacks: list[tuple[ContainerInstance, str]], history: History
) -> Confidence:
    """Return how certain the lack of room is. A rollout in waves has no room between two waves, so
    a lack of room by arithmetic alone proves nothing.
    """
    primary = history.now.primary
    if said and lacks:
        return "certain"
    if said or (primary is not None and primary.running == 0 and primary.pending == 0):
        return "likely"
    return "possible"


def _size(now: Snapshot) -> str:
    definition = _definition(now)
    return (
        f" (a task takes {definition.cpu} CPU units, {definition.memory} MiB)" if definition else ""
    )


def _definition(now: Snapshot) -> TaskDefinition | None:
    return now.definition(now.primary.task_definition) if now.primary else None


def _instances(now: Snapshot, lacks: list[tuple[ContainerInstance, str]]) -> list[Evidence]:
    return [
        Evidence(
            f"instance {one.id}",
            f"lacks {lack}: {one.cpu} CPU units, {one.memory} MiB remain",
            now.at,
        )
        for one, lack in lacks[:3]
    ]


def _at_maximum(now: Snapshot) -> bool:
    group = now.group
    return group is not None and len(group.instances) >= group.maximum > 0


def zones_uneven(history: History) -> Iterator[Cause]:
    """Yield a Cause when every task runs in one zone although instances of other zones take tasks.
    If that zone fails, the service is down.
    """
    now = history.now
    running = [task for task in now.running if task.zone]
    takers = {one.zone for one in now.instances if one.takes_tasks and one.zone}
    used = {task.zone for task in running}
    if len(running) < 2 or len(used) != 1 or not takers - used or _moving(now):
        return
    [zone], idle = used, ", ".join(sorted(takers - used))
    yield Cause(
        "zones-uneven",
        f"all {counted(len(running), 'task')} run in {zone}, and none in {idle}",
        "certain",
        (Evidence("ecs DescribeTasks", f"{len(running)} in {zone}", now.at),),
        _spread(now, len(running), len(takers)),
        hinders=False,
    )


def _spread(now: Snapshot, count: int, zones: int) -> str:
    """Return how to spread them. New tasks go where the fewest are, and ECS stops the surplus where
    the most are; a roll would only move all of them to the other zones.
    """
    if now.names.scales:
        return "ECS spreads them when it scales the next time; until then: opsctl status"
    more = count - math.ceil(count / zones)
    return f"to spread them: opsctl ecs scale {count + more}, then: opsctl ecs scale {count}"


def _moving(now: Snapshot) -> bool:
    service = now.service
    return service is None or len(service.deployments) != 1 or service.pending > 0


RULES = (no_room, zones_uneven)
