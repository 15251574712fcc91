"""Decide when a rollout can only fail, and what waiting for its end would cost. Pure.

It is certain when no retry can help: every new task ended because the image is gone, holds a
Caddyfile that is refused, or is for a processor that no instance type of the group has; and no task
is on its way that may come further. Failures that only repeat are worth a question. Neither applies
once a new task has been healthy.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from opsctl.cause import rank
from opsctl.cause.cause import Cause
from opsctl.cause.history import History
from opsctl.rollout.verdict import Goal
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.tasks import Task

REPEATED = 3  # failures of one cause, with no other cause among them
_OF_TASKS = {
    *("image-not-found", "wrong-architecture", "caddyfile-refused"),
    *("container-exited", "out-of-memory", "pull-denied", "secret-missing", "secret-empty"),
    *("log-group-missing", "port-taken", "container-cannot-start", "permission-missing"),
}
_PROCESSOR = "wrong-architecture"
_THREE_HOURS = timedelta(hours=3)  # how long CloudFormation waits for a steady service


@dataclass(frozen=True, slots=True)
class Doom:
    """Why a rollout will fail. `certain` when no retry can help. `costs` is the time until the
    rollout would end by itself.
    """

    cause: Cause
    certain: bool
    times: int
    costs: timedelta

    @property
    def sentence(self) -> str:
        how = "it cannot succeed" if self.certain else f"it will fail: the same {self.times} times"
        return f"{how}, and no new task was healthy: {self.cause.sentence}"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of the new tasks.

    `proved` holds the ids of tasks that were healthy once; `ids` the EC2 ids of the container
    instances that existed at the beginning, `types` their instance types.
    """

    began: datetime
    breaker: bool
    history: History
    ids: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    proved: frozenset[str] = frozenset()
    failed: int = 0
    doom: Doom | None = field(default=None)

    @classmethod
    def begin(cls, now: Snapshot, *, breaker: bool) -> Self:
        ids = {one.arn: one.id for one in now.instances}
        types = {one.arn: f"{one.type} {one.image}" for one in now.instances if one.takes_tasks}
        return cls(now.at, breaker, History.empty(now.names, now.at), ids, types)

    def see(self, now: Snapshot, goal: Goal) -> Self:
        history = self.history.plus(now)
        mine = [task for task in history.tasks.values() if goal.started(task)]
        failed = sum(task.is_stopped and task.failed for task in mine)
        proved = self.proved | {task.id for task in mine if _healthy(task, now, self.ids)}
        seen = replace(self, history=history, proved=proved, failed=failed)
        if proved or failed < REPEATED:
            return replace(seen, doom=None)
        return replace(seen, doom=seen._doom(mine))

    def _doom(self, mine: Collection[Task]) -> Doom | None:
        deployments = {task.deployment for task in mine}
        others = {id: task for id, task in self.history.tasks.items()
                  if task.deployment in deployments}  # fmt: skip
        causes = rank.rank(replace(self.history, tasks=others))
        first = next((one for one in causes if one.id in _OF_TASKS and not one.over), None)
        if first is None or first.confidence != "certain":
            return None
        # A failure of another kind among them means that the tasks do not all fail alike.
        if first.count < max(REPEATED, self.failed):
            return None
        alone = first.id != _PROCESSOR or self._on_each(mine)
        certain = first.lasting and alone and not any(_on_its_way(task, mine) for task in mine)
        return Doom(first, certain, first.count, self.costs())

    def _on_each(self, mine: Collection[Task]) -> bool:
        """Return whether it was tried on every type: some types may have the image's processor."""
        tried = {self.types.get(task.instance) for task in mine if task.is_stopped}
        return set(self.types.values()) <= tried

    def costs(self, threshold: int = 0) -> timedelta:
        """Return how long waiting for the end would take: until the breaker trips, at the rate of
        the failures so far; without a breaker, until CloudFormation gives up.

        `threshold` is the number of failures that trip the breaker, or 0 for ECS's default.
        """
        service = self.history.now.service
        if not self.breaker or service is None:
            return _THREE_HOURS - (self.history.now.at - self.began)
        threshold = threshold or breaker_threshold(service.desired)
        one_failure = (self.history.now.at - self.began) / max(self.failed, 1)
        return max(one_failure * max(threshold - self.failed, 0), timedelta())


def breaker_threshold(desired: int) -> int:
    """Return how many failures trip ECS's circuit breaker, unless the service says otherwise."""
    return min(max(-(-desired // 2), 3), 200)


def _on_its_way(task: Task, mine: Collection[Task]) -> bool:
    """Return whether the task runs, or was created before the last failure, and may succeed."""
    if task.running or task.is_stopped or task.created is None:
        return not task.is_stopped
    # A task that ECS is stopping right now has no such time yet.
    ends = [one.stopped for one in mine if one.is_stopped]
    return any(end is None or task.created <= end for end in ends)


def _healthy(task: Task, now: Snapshot, ids: Mapping[str, str]) -> bool:
    """Return whether the task's target is healthy; without targets, whether it runs.

    If the instance's id is not known, any healthy target with the same port counts: a task that may
    have been healthy must not be given up.
    """
    if task.status != "RUNNING":
        return False
    ports = {str(port) for one in task.containers for port in one.ports}
    if not ports or now.service is None or not now.service.target_groups:
        return True
    instance = ids.get(task.instance)
    return any(
        target.healthy
        and target.id.rpartition(":")[2] in ports
        and instance in (None, target.instance)
        for target in now.targets
    )
