"""Place tasks: what an instance has left, and spreading over the strategy's fields."""

from collections import Counter
from dataclasses import dataclass

from opsctl_sandbox.cluster.values import Instance, Task, TaskDefinition
from opsctl_sandbox.cluster.world import World

# Source: amazon-ecs-agent README, ECS_RESERVED_PORTS.
RESERVED_PORTS = frozenset({22, 2375, 2376, 51678, 51679})
FIRST_DYNAMIC_PORT, LAST_DYNAMIC_PORT = 32768, 60999

# Ordered by how far an instance is from fitting; ECS names the one that lacks the least.
_LACKS = (
    "is already using a port required by your task",
    "has insufficient memory available",
    "has insufficient CPU units available",
)


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of an instance."""

    cpu: int
    memory: int
    ports: frozenset[int]
    """Ports in use, the agent's reserved ones included."""


@dataclass(frozen=True, slots=True)
class NoRoom:
    """Why no instance takes the task, in the words of the service event."""

    reason: str
    short: str
    """RunTask's failure reason: RESOURCE:CPU, RESOURCE:MEMORY, RESOURCE:PORTS, AGENT."""


def occupants(world: World, instance: str) -> list[Task]:
    """Return the tasks that hold resources of the instance: all that have not stopped."""
    return [t for t in world.tasks.values() if t.instance == instance and t.status != "STOPPED"]


def room(world: World, instance: Instance) -> Room:
    held = occupants(world, instance.id)
    return Room(
        instance.cpu - sum(t.definition.cpu for t in held),
        instance.memory - sum(t.definition.memory for t in held),
        RESERVED_PORTS.union(*(t.host_ports for t in held)),
    )


def container_instances(world: World, cluster: str) -> list[Instance]:
    """Return the registered instances of the cluster that still exist, oldest first."""
    return [
        i
        for i in world.instances.values()
        if i.cluster == cluster and i.joined and i.state in ("pending", "running")
    ]


def _lacks(left: Room, definition: TaskDefinition) -> int | None:
    if left.cpu < definition.cpu:
        return 2
    if left.memory < definition.memory:
        return 1
    if any(p.host_port in left.ports for p in definition.ports if p.host_port):
        return 0
    return None


def place(
    world: World, cluster: str, definition: TaskDefinition, spread: tuple[str, ...], group: str
) -> Instance | NoRoom:
    """Return the instance for one more task of `group`, spread evenly by each field in turn."""
    present = container_instances(world, cluster)
    if not present:
        return NoRoom("Reason: No Container Instances were found in your cluster.", "EMPTY CLUSTER")
    candidates = [i for i in present if i.agent_connected and not i.draining]
    if not candidates:
        arn = present[0].arn
        return NoRoom(
            f'The closest matching (container-instance {short_id(arn)}) encountered error "AGENT".',
            "AGENT",
        )
    lacking = {i.id: _lacks(room(world, i), definition) for i in candidates}
    fitting = [i for i in candidates if lacking[i.id] is None]
    if not fitting:
        closest = min(candidates, key=lambda i: (lacking[i.id] or 0, i.id))
        what = lacking[closest.id] or 0
        return NoRoom(
            f"The closest matching (container-instance {short_id(closest.arn)}) {_LACKS[what]}.",
            ("RESOURCE:PORTS", "RESOURCE:MEMORY", "RESOURCE:CPU")[what],
        )
    return _most_even(world, fitting, spread, group)


def _most_even(
    world: World, fitting: list[Instance], spread: tuple[str, ...], group: str
) -> Instance:
    living = [t for t in world.tasks.values() if t.group == group and t.desired == "RUNNING"]
    by_instance = Counter(t.instance for t in living)
    by_zone: Counter[str] = Counter()
    for instance, number in by_instance.items():
        if instance in world.instances:
            by_zone[world.instances[instance].zone] += number

    def load(instance: Instance) -> tuple[int, ...]:
        return tuple(
            by_zone[instance.zone] if "availability-zone" in field else by_instance[instance.id]
            for field in spread
        )

    return min(fitting, key=lambda i: (load(i), i.launched, i.id))


def dynamic_port(world: World, instance: Instance, taken: frozenset[int] = frozenset()) -> int:
    """Return the next free port of the ephemeral range, as Docker would assign it."""
    used = room(world, instance).ports | taken
    return next(p for p in range(FIRST_DYNAMIC_PORT, LAST_DYNAMIC_PORT + 1) if p not in used)


def short_id(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
