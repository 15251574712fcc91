"""Watch one deployment: yield what is new between two snapshots, until its outcome is certain.
Pure.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Self

from opsctl.outcome import Outcome
from opsctl.plural import counted
from opsctl.rollout import verdict
from opsctl.rollout.verdict import Goal
from opsctl.snapshot.lines import last_words
from opsctl.snapshot.service import UNHEALTHY
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.targets import Target
from opsctl.snapshot.tasks import Task

LOOK = Look(frozenset({"service", "tasks", "task_definitions", "targets", "lines"}), ())


@dataclass(frozen=True, slots=True)
class TasksStopped:
    """Tasks of the deployment that stopped for one reason. `failed` is False when scaling in."""

    kind: ClassVar[str] = "stopped"
    tasks: tuple[str, ...]
    reason: str
    exit_code: int | None = None
    failed: bool = False

    @property
    def text(self) -> str:
        if len(self.tasks) == 1:
            return f"task {self.tasks[0]} stopped: {self.reason}"
        return f"{len(self.tasks)} tasks stopped: {self.reason}"


@dataclass(frozen=True, slots=True)
class TargetChanged:
    kind: ClassVar[str] = "target"
    target: str
    state: str
    reason: str = ""
    description: str = ""

    @property
    def failed(self) -> bool:
        return self.state == "unhealthy"

    @property
    def text(self) -> str:
        return f"target {self.target} is {self.state}{f' ({self.reason})' if self.reason else ''}"


@dataclass(frozen=True, slots=True)
class ServiceSaid:
    """A new event of the service scheduler."""

    kind: ClassVar[str] = "message"
    failed: ClassVar[bool] = False
    text: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of the new deployment's tasks and of all others. `healthy` is None without a target
    group.
    """

    kind: ClassVar[str] = "counts"
    failed: ClassVar[bool] = False
    desired: int
    new_running: int
    new_pending: int
    new_failed: int
    old_running: int
    healthy: int | None = None

    @property
    def text(self) -> str:
        health = "" if self.healthy is None else f", {counted(self.healthy, 'target')} healthy"
        return (
            f"{self.new_running} of {self.desired} new tasks run, {self.new_pending} start, "
            f"{self.old_running} old remain{health}"
        )


@dataclass(frozen=True, slots=True)
class Wave:
    """Old tasks that are being stopped, so that ECS starts new ones (`--strategy stop`)."""

    kind: ClassVar[str] = "wave"
    failed: ClassVar[bool] = False
    tasks: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"stopping {counted(len(self.tasks), 'old task')}"


RolloutEvent = TasksStopped | TargetChanged | ServiceSaid | Counts | Wave


@dataclass(frozen=True, slots=True)
class Watch:
    """`last` is the snapshot to compare with; `failed` is the first task that failed."""

    goal: Goal
    last: Snapshot
    deadline: datetime
    failed: Task | None = None
    unhealthy: str = ""

    @property
    def look(self) -> Look:
        return LOOK

    @property
    def over(self) -> bool:
        return self.outcome is not None

    @property
    def outcome(self) -> Outcome | None:
        judged = verdict.judge(self.last, self.goal)
        if judged is None and self.last.at >= self.deadline:
            judged = verdict.give_up(self.last, self.goal)
        if judged is not None and judged.kind == "rolled-back":
            return replace(judged, reason=self.because(judged.reason))
        return judged

    def see(self, now: Snapshot) -> tuple[Self, tuple[RolloutEvent, ...]]:
        now.require("service", "tasks", "task_definitions", "targets")
        goal = self.goal.seen(now)
        events = tuple(news(self.last, now, goal))
        failed = (task for task in now.stopped if task.failed and goal.started(task))
        return (
            replace(
                self,
                goal=goal,
                last=now,
                failed=self.failed or next(failed, None),
                unhealthy=self.unhealthy or next(_unhealthy(events), ""),
            ),
            events,
        )

    def because(self, otherwise: str) -> str:
        """Return why the rollout failed: what its first failed task says, else `otherwise`."""
        if self.failed is None:
            return otherwise
        why = f"a task stopped: {self.failed.why.rstrip('.')}"
        if self.failed.failed_health_checks and self.unhealthy:
            return f"{why}: {self.unhealthy}"
        lines = last_words(self.last_lines)
        return f"{why}, and last said: {lines[-1]}" if lines else why

    @property
    def last_lines(self) -> tuple[str, ...]:
        """Last lines of the first failed task; if it wrote none, those of another failed one."""
        mine = self.last.lines.get(self.failed.id) if self.failed else None
        others = (
            self.last.lines[task.id]
            for task in self.last.stopped
            if task.failed and self.goal.started(task) and self.last.lines.get(task.id)
        )
        return mine or next(others, ())


def news(before: Snapshot, now: Snapshot, goal: Goal) -> Iterator[RolloutEvent]:
    """Yield what has happened to the tasks, targets and counts between two snapshots."""
    gone = {task.id for task in before.stopped}
    new = [task for task in now.stopped if task.id not in gone and goal.started(task)]
    yield from _stopped(new)
    yield from _targets(before.targets, now.targets)
    heard = {event.id for event in before.service.events} if before.service else set()
    for event in now.service.events if now.service else ():
        if event.id not in heard:
            yield ServiceSaid(event.sentence)
    count = counts(now, goal)
    if count is not None and count != counts(before, goal):
        yield count


def counts(now: Snapshot, goal: Goal) -> Counts | None:
    service = now.service
    if service is None:
        return None
    ours = [one for one in service.deployments if goal.is_ours(one, now)]
    others = [one for one in service.deployments if one not in ours]
    return Counts(
        desired=service.desired,
        new_running=sum(one.running for one in ours),
        new_pending=sum(one.pending for one in ours),
        new_failed=sum(one.failed for one in ours),
        old_running=sum(one.running for one in others),
        healthy=now.healthy if now.targets else None,
    )


def _stopped(tasks: Iterable[Task]) -> Iterator[TasksStopped]:
    by_reason: dict[tuple[str, int | None, bool], list[str]] = {}
    for task in tasks:
        by_reason.setdefault((task.why, task.exit_code, task.failed), []).append(task.id)
    for (reason, exit_code, failed), ids in by_reason.items():
        yield TasksStopped(tuple(ids), reason, exit_code, failed)


def _targets(before: Iterable[Target], now: Iterable[Target]) -> Iterator[TargetChanged]:
    known = {target.id: (target.state, target.reason) for target in before}
    for target in now:
        if known.get(target.id) != (target.state, target.reason):
            yield TargetChanged(target.id, target.state, target.reason, target.description)


def _unhealthy(events: Iterable[RolloutEvent]) -> Iterator[str]:
    """Yield what was wrong with each target, in the load balancer's words."""
    for event in events:
        if isinstance(event, TargetChanged) and event.failed:
            reason = f" ({event.reason})" if event.reason else ""
            yield f"{event.description or 'unhealthy'}{reason}"
        # It may be gone before a snapshot shows it; the service's events still say what was wrong.
        elif isinstance(event, ServiceSaid) and (sentence := UNHEALTHY.search(event.text)):
            yield sentence[1]
