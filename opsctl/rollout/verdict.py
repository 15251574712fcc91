"""Judge from snapshots how a rollout stands. Pure."""

from dataclasses import dataclass, replace
from typing import Self

from opsctl.outcome import Outcome
from opsctl.snapshot import targets
from opsctl.snapshot.service import Deployment
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.tasks import Task

# Services made before 2020, and some emulators, have no rollout state.
_SETTLED = ("COMPLETED", "")
LOGS = "opsctl logs tail --since 15m"
_NOTHING_SERVES = "somebody set the service to 0 tasks while they were rolled: nothing serves"
_NOBODY_FORWARDS = "no listener of the load balancer forwards to the tasks"


@dataclass(frozen=True, slots=True)
class Goal:
    """The deployment that should become the primary one, and how to tell it from earlier ones.

    `before` is the id of the primary deployment at the beginning. With `forced`, a deployment of
    the same task definition counts only if its id is not in `known`. `ours` is our deployment's id
    once it was seen as the primary, and `definition` its task definition. `desired` is the number
    of tasks that ran or were asked for, or 0 when unknown. `tasks` are ids of earlier tasks of the
    same deployment, when it only becomes larger.
    """

    image: str
    before: str = ""
    before_definition: str = ""
    known: frozenset[str] = frozenset()
    forced: bool = False
    ours: str = ""
    definition: str = ""
    desired: int = 0
    tasks: frozenset[str] = frozenset()

    @classmethod
    def from_now(cls, image: str, now: Snapshot, *, forced: bool = False, desired: int = 0) -> Self:
        """Return the goal. Call this before anything is changed, to know the deployments that exist
        already.
        """
        deployments = now.service.deployments if now.service else ()
        primary = now.primary
        return cls(
            image,
            before=primary.id if primary else "",
            before_definition=primary.task_definition if primary else "",
            known=frozenset((*(one.id for one in deployments), *_earlier(now))),
            forced=forced,
            desired=max(desired, now.service.desired if now.service else 0),
        )

    def is_ours(self, deployment: Deployment, now: Snapshot) -> bool:
        if not now.runs(self.image, deployment):
            return False
        return not (self.forced and deployment.id in self.known)

    def seen(self, now: Snapshot) -> Self:
        primary = now.primary
        if self.ours or primary is None or not self.is_ours(primary, now):
            return self
        return replace(self, ours=primary.id, definition=primary.task_definition)

    def started(self, task: Task) -> bool:
        """Return whether the new deployment started this task.

        A deployment that failed between two snapshots was never seen, but its tasks still are.
        """
        if task.id in self.tasks:
            return False
        return task.deployment == self.ours if self.ours else task.deployment not in self.known


def _earlier(now: Snapshot) -> frozenset[str]:
    """Return deployments that ECS has forgotten, and whose stopped tasks it still lists."""
    return frozenset(task.deployment for task in now.stopped)


def judge(now: Snapshot, goal: Goal) -> Outcome | None:
    """Return the outcome, or None while none is certain."""
    primary = now.primary
    if primary is None:
        return None
    if not goal.ours and (primary.id == goal.before or goal.is_ours(primary, now)):
        return None
    if primary.id != goal.ours:
        if _is_rollback(now, goal, primary):
            return Outcome("rolled-back", _rollback(now, goal, primary), LOGS)
        return Outcome(
            "superseded",
            _successor(goal, primary, now),
            "to replace it, run the same command again; to see it: opsctl ecs status",
        )
    # A failed deployment is not final yet: with rollback on, ECS next makes the old one primary.
    if not settled(now):
        return _cut_off(now)
    if goal.desired and now.service is not None and now.service.desired == 0:
        # With no task desired the service counts as settled, yet nothing serves.
        return Outcome("deployed-unhealthy", _NOTHING_SERVES, "opsctl update-tasks")
    return Outcome("deployed")


def settled(now: Snapshot) -> bool:
    """Return whether all tasks of the primary deployment run and serve, and no other has any."""
    service = now.service
    return (
        service is not None
        and _whole(now)
        and not any(target.state in ("initial", "unhealthy") for target in now.targets)
        and (now.healthy >= service.desired or not service.target_groups)
    )


def _whole(now: Snapshot) -> bool:
    """Return whether all tasks of the primary deployment run, and no other has any."""
    service, primary = now.service, now.primary
    if service is None or primary is None:
        return False
    others = (one for one in service.deployments if one.id != primary.id)
    return (
        primary.running == primary.desired == service.desired
        and primary.pending == 0
        and primary.state in _SETTLED
        and not any(one.running or one.pending for one in others)
    )


def _cut_off(now: Snapshot) -> Outcome | None:
    """Return the outcome when all tasks run and no listener leads to them. Waiting cannot help."""
    state = now.stack("ecs")
    changing = state is not None and state.in_progress  # it may be replacing the listener
    if changing or not _whole(now) or not targets.unused(now.targets):
        return None
    return Outcome("deployed-unhealthy", _NOBODY_FORWARDS, "opsctl ecs up --revert-drift")


def give_up(now: Snapshot, goal: Goal) -> Outcome:
    """Return the outcome when the time is over."""
    service, primary = now.service, now.primary
    if service is None:
        return Outcome("failed", "the service is not there any more", "opsctl ecs status")
    if primary is not None and goal.is_ours(primary, now):
        if primary.state == "FAILED":
            why = primary.reason or "the deployment failed"
            return Outcome("deployed-unhealthy", why, LOGS)
        if primary.running == primary.desired and primary.state in _SETTLED:
            return Outcome("deployed-unhealthy", _health(now), LOGS)
    return Outcome(
        "timed-out",
        f"{service.running} of {service.desired} tasks run; {_health(now)}",
        "to join it and follow it to its end: opsctl update-tasks",
    )


def _health(now: Snapshot) -> str:
    bad = [target for target in now.targets if not target.healthy]
    reasons = sorted({target.reason or target.state for target in bad})
    why = f" ({', '.join(reasons)})" if reasons else ""
    desired = now.service.desired if now.service else 0
    return f"{now.healthy} of {desired} targets are healthy{why}"


def _is_rollback(now: Snapshot, goal: Goal, primary: Deployment) -> bool:
    if primary.task_definition != goal.before_definition or now.service is None:
        return False
    # A forced deployment has the old task definition, as one that somebody begins meanwhile has.
    mine = [one for one in now.service.deployments if one.id == goal.ours]
    return (
        goal.definition != goal.before_definition
        or primary.id in goal.known
        or "rolling back" in primary.reason.lower()
        # A quick rollback is over before a snapshot shows it, and the service still says so.
        or any(f"rolling back to deployment {primary.id}" in one.text for one in now.service.events)
        or any(one.state == "FAILED" for one in mine)
    )


def _rollback(now: Snapshot, goal: Goal, primary: Deployment) -> str:
    deployments = now.service.deployments if now.service else ()
    reasons = [one.reason for one in deployments if goal.is_ours(one, now)]
    # Once the old revision has settled again, its own reason says only that.
    reasons += [primary.reason] if primary.state == "IN_PROGRESS" else []
    reason = next(filter(None, reasons), "")
    return reason or f"{primary.revision} is the primary deployment again"


def _successor(goal: Goal, primary: Deployment, now: Snapshot) -> str:
    same = now.runs(goal.image, primary)
    of = "a newer deployment of the same image" if same else "a deployment of another image"
    return f"{of} is the primary now: {primary.revision} ({primary.id})"
