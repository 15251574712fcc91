"""The service's events in ECS's words: a hundred are kept, repeats are left out for six hours."""

from opsctl_sandbox.cluster.values import Service, ServiceEvent
from opsctl_sandbox.cluster.world import World

KEPT = 100
GUIDE = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


def say(world: World, service: Service, message: str) -> None:
    """Add an event, unless the same sentence was added less than six hours ago."""
    text = f"(service {service.spec.name}) {message}"
    last = service.event_times.get(text)
    if last is not None and world.now - last < world.timings.event_silence:
        return
    service.event_times[text] = world.now
    service.events.insert(0, ServiceEvent(world.uuid(), world.now, text))
    del service.events[KEPT:]


def listed(ids: list[str]) -> str:
    return " ".join(f"(task {i})" for i in ids)


def tasks(count: int) -> str:
    return f"{count} task" + ("" if count == 1 else "s")
