"""What a snapshot tells of a group's instances: the rolls decide from it. Pure."""

from collections import Counter
from datetime import datetime

from opsctl.plural import counted
from opsctl.rollout.room import TaskSize
from opsctl.snapshot.instances import ROLLING, ContainerInstance, Group
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.tasks import Task

# The tag's value is the number of instances before the roll.
TAG = ROLLING


def note(size: int, since: datetime | None) -> str:
    """Return the tag's value: the size before the roll, and since when everything is replaced."""
    return f"{size} {since.isoformat()}" if since else str(size)


def noted(group: Group) -> tuple[int, datetime | None]:
    """Parse the tag: (size before the roll, since when everything is replaced).

    Without a tag, returns the group's present size and None.
    """
    size, _, since = group.tags.get(TAG, "").partition(" ")
    if not size.isdigit():
        return group.desired, None
    try:
        return int(size), datetime.fromisoformat(since) if since else None
    except ValueError:
        return int(size), None


def joined_before(now: Snapshot, moment: datetime) -> frozenset[str]:
    """Return the instances that a roll of everything, begun at `moment`, replaces."""
    return frozenset(one.id for one in now.instances if one.joined and one.joined <= moment)


def spare(now: Snapshot, group: Group) -> list[ContainerInstance]:
    """Return the active instances, the first to go first: of the fullest zone, fewest tasks."""
    by_zone = zones(group)
    return sorted(active(now, group), key=lambda one: (-by_zone[one.zone], one.running, one.id))


def lack(now: Snapshot, group: Group, instance: ContainerInstance, size: TaskSize) -> str:
    """Return why the other instances cannot hold this one's tasks, with the arithmetic, or ''."""
    if now.service is None or not now.service.desired:
        return ""
    tasks = tasks_on(now, instance)
    others = [one for one in active(now, group) if one.arn != instance.arn]
    room = sum(size.count_on(one) for one in others)
    if room >= len(tasks):
        return ""
    return (
        f"{instance.id} cannot be replaced: it runs {counted(len(tasks), 'task')}, "
        f"{counted(len(others), 'other instance')} can take {room}, "
        f"and the group may not grow beyond {group.maximum}"
    )


def tasks_on(now: Snapshot, instance: ContainerInstance) -> list[Task]:
    return [task for task in now.tasks if task.instance == instance.arn and not task.is_stopped]


def active(now: Snapshot, group: Group) -> list[ContainerInstance]:
    ids = {one.id for one in group.members}
    return [one for one in now.instances if one.id in ids and one.status == "ACTIVE"]


def zones(group: Group) -> Counter[str]:
    return Counter(one.zone for one in group.members)


def draining(now: Snapshot, group: Group) -> list[ContainerInstance]:
    ids = {one.id for one in group.members}
    return [one for one in now.instances if one.id in ids and one.status == "DRAINING"]


def serve_elsewhere(now: Snapshot, instance: ContainerInstance) -> bool:
    """Return whether the service is whole without the tasks of this instance."""
    if now.service is None:
        return True
    healthy = [one for one in now.targets if one.healthy and one.instance != instance.id]
    running = [one for one in now.running if one.instance != instance.arn]
    serving = len(healthy) if now.service.target_groups else len(running)
    return serving >= now.service.desired
