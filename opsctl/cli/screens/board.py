"""Show a running roll: tasks and targets in one table that stays below the events.

Pure except for the live drawing: a snapshot gives lines, at any size from 60 x 10.
"""

import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from opsctl.cli.screens import live
from opsctl.cli.screens.console import Console, printable
from opsctl.cli.screens.screen import Screen
from opsctl.cli.screens.status_tables import mixed, table
from opsctl.cli.screens.words import age, fitted, zone_word
from opsctl.outcome import Outcome
from opsctl.plural import counted
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.tasks import Task
from opsctl.stacks.operation import RollBegun

if TYPE_CHECKING:
    from rich.text import Text

_HEAD = ("TASK", "ZONE", "REVISION", "STATE", "TARGET", "AGE")
_SPARE = 4  # lines above the table that are left to the events
_MARKS = {"healthy": "●", "unhealthy": "✗"}


class BoardScreen(Screen):
    """Draws on a terminal only; elsewhere the lines of the events say everything.

    With `waits`, it draws only while a stack change rolls tasks.
    """

    def __init__(self, console: Console, *, waits: bool = False) -> None:
        self._console = console
        self._waits, self._rolls = waits, not waits
        self._now: Snapshot | None = None
        self._began: datetime | None = None
        # container instance ARN -> EC2 id, from the snapshot that read them
        self._ids: dict[str, str] = {}
        self._live: live.Drawing | None = None

    def show(self, item: object) -> bool:
        """Record every snapshot. Returns False, so that other screens see it, too."""
        if isinstance(item, Snapshot):
            self._ids.update({one.arn: one.id for one in item.instances})
            if "tasks" in item.look.parts and self._rolls:
                self._see(item)
        elif isinstance(item, RollBegun):
            self._rolls = True
        elif isinstance(getattr(item, "outcome", None), Outcome):
            self.pause()
            self._rolls = not self._waits
        return False

    def pause(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _see(self, now: Snapshot) -> None:
        self._began = self._began or now.at
        self._now = now
        # The first snapshot is from before the question, the second from the roll.
        if self._live is None and now.at != self._began:
            self._live = live.start(self._console, self._drawn, per_second=4, transient=True)

    def _drawn(self) -> "Text":
        from rich.text import Text

        if self._now is None:
            return Text("")
        size = shutil.get_terminal_size()
        rows = lines(
            self._now, self._ids, began=self._began, width=size.columns, height=size.lines - _SPARE
        )
        return Text(printable("\n".join(rows)))


def lines(
    now: Snapshot,
    ids: Mapping[str, str],
    *,
    began: datetime | None,
    width: int,
    height: int,
) -> list[str]:
    """Return the lines: some failed tasks, new and running ones, and last the progress."""
    room = max(height - 2, 1)
    # A code is worth its space only where something is wrong.
    health = {
        one.id: one.in_words if one.state == "unhealthy" else one.state for one in now.targets
    }
    tasks = sorted(now.tasks, key=lambda task: (_order(task, now), -_time(task)))
    tasks = [task for task in tasks if not task.is_stopped or _failed_here(task, now, began)]
    if len(tasks) > room:
        tasks = mixed(tasks, max(room // 3, 1))
    shown = tasks if len(tasks) <= room else tasks[: room - 1]
    rows = table(_HEAD, [_row(task, now, ids, health) for task in shown], width)
    if rest := tasks[len(shown) :]:
        running = sum(task.running for task in rest)
        alike = ", all running" if running == len(rest) else f", {running} running"
        rows.append(fitted(f"…{counted(len(rest), 'more task')}{alike}", width))
    return [*rows, fitted(summary(now, began), width)]


def summary(now: Snapshot, began: datetime | None) -> str:
    """Return for example: `◐ 2 of 8 of web:42 run, 3 start, 0 healthy · 3 failed · 2 m 40 s`"""
    service, primary = now.service, now.primary
    if service is None or primary is None:
        return "○ no service yet"
    new = [task for task in now.tasks if task.deployment == primary.id]
    failed = sum(task.is_stopped and task.failed for task in new)
    done = primary.running == primary.desired and primary.state in ("COMPLETED", "")
    parts = [
        f"{primary.running} of {primary.desired} of {primary.revision} run, "
        f"{primary.pending} start, {now.healthy} healthy"
    ]
    parts += [f"{failed} failed"] if failed else []
    parts += [age(now.at, began)] if began else []
    return f"{'●' if done else '◐'} {' · '.join(parts)}"


def _row(
    task: Task, now: Snapshot, ids: Mapping[str, str], health: Mapping[str, str]
) -> Sequence[str]:
    return (
        task.id[:8],
        zone_word(task.zone) or "–",
        task.task_definition.rpartition("/")[2],
        _state(task),
        _target(task, ids, health),
        age(now.at, task.stopped or task.started or task.created),
    )


def _failed_here(task: Task, now: Snapshot, began: datetime | None) -> bool:
    """Return whether the task failed in this roll.

    ECS lists stopped tasks of earlier ones for an hour.
    """
    mine = now.primary is not None and task.deployment == now.primary.id
    late = began is None or task.stopped is None or task.stopped >= began
    return task.failed and (mine or late)


def _state(task: Task) -> str:
    if not task.is_stopped:
        return task.in_words
    return f"✗ exited {task.exit_code}" if task.exit_code is not None else "✗ could not start"


def _target(task: Task, ids: Mapping[str, str], health: Mapping[str, str]) -> str:
    if task.is_stopped:
        return "–"  # another task may have its port by now
    instance = ids.get(task.instance, "")
    keys = [f"{instance}:{port}" for one in task.containers for port in one.ports]
    state = next((health[key] for key in keys if key in health), "")
    return f"{_MARKS.get(state.partition(' ')[0], '◐')} {state}" if state else "–"


def _order(task: Task, now: Snapshot) -> int:
    """Return the sort key: failed tasks, then those of the new deployment, then others."""
    if task.is_stopped:
        return 0
    primary = now.primary
    return 1 if primary is not None and task.deployment == primary.id else 2


def _time(task: Task) -> float:
    moment = task.stopped or task.created or task.started
    return moment.timestamp() if moment else 0.0
