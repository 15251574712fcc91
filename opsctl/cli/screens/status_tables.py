"""The tables of tasks and instances, the most important rows first."""

from collections.abc import Sequence
from datetime import datetime

from opsctl.cli.screens.words import age, columns, fitted, padded, zone_word
from opsctl.snapshot.instances import ContainerInstance, not_joined
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.tasks import Task

_TASKS = ("TASK", "ZONE", "INSTANCE", "REVISION", "STATE", "AGE")
_FAILED_FIRST = 6
_INSTANCES = ("INSTANCE", "ZONE", "AGENT", "TASKS", "CPU LEFT", "MEMORY LEFT", "STATE")


def task_rows(now: Snapshot, width: int) -> list[str]:
    """Return head and rows: some failed, all starting, then running tasks, newest first."""
    ids = {one.arn: one.id for one in now.instances}
    tasks = sorted(now.tasks, key=lambda task: (_order(task), -_time(task)))
    tasks = mixed(tasks, _FAILED_FIRST)
    rows = [
        (
            task.id[:8],
            zone_word(task.zone),
            ids.get(task.instance, task.instance.rpartition("/")[2])[:10] or "–",
            _revision(task),
            _state(task),
            age(now.at, task.stopped or task.started or task.created),
        )
        for task in tasks
        if not task.is_stopped or task.failed
    ]
    return table(_TASKS, rows, width)


def mixed(tasks: Sequence[Task], most: int) -> list[Task]:
    """Return the tasks with at most this many failed ones at the top. Many that failed alike must
    not hide how the others are doing.
    """
    failed = [task for task in tasks if task.is_stopped]
    return [*failed[:most], *(task for task in tasks if not task.is_stopped), *failed[most:]]


def instance_rows(now: Snapshot, width: int) -> list[str]:
    rows = [
        (
            one.id[:19],
            zone_word(one.zone),
            "connected" if one.connected else "✗ silent",
            str(one.running),
            f"{one.cpu}/{one.whole_cpu}",
            f"{one.memory}/{one.whole_memory}",
            one.status.lower(),
        )
        for one in sorted(now.instances, key=_worth)
    ]
    rows += [
        (one.id[:19], zone_word(one.zone), "✗ not joined", "–", "–", "–", one.lifecycle.lower())
        for one in not_joined(now.group, now.instances)
    ]
    return table(_INSTANCES, rows, width)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return aligned lines; the widest column shrinks first. Without rows there is no head."""
    if not rows:
        return []
    cells = [header, *rows]
    widths = [max(map(columns, column)) for column in zip(*cells, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > width:
        widest = widths.index(max(widths))
        widths[widest] -= 1
    return [
        "  ".join(
            padded(fitted(cell, size), size) for cell, size in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]


def _order(task: Task) -> int:
    if task.is_stopped:
        return 0
    return 2 if task.running else 1


def _time(task: Task) -> float:
    moment: datetime | None = task.stopped or task.created
    return moment.timestamp() if moment else 0.0


def _revision(task: Task) -> str:
    return task.task_definition.rpartition("/")[2]


def _state(task: Task) -> str:
    if task.is_stopped:
        code = task.exit_code
        return f"✗ exited {code}" if code is not None else "✗ could not start"
    if task.health == "UNHEALTHY":
        return "✗ unhealthy"
    return f"● {task.in_words}" if task.running else f"◐ {task.in_words}"


def _worth(one: ContainerInstance) -> tuple[bool, str]:
    return (one.takes_tasks, one.id)
