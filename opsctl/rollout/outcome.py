"""How a rollout ended. Pure: judged from what was observed, never from a tool's hopes."""

from dataclasses import dataclass
from typing import Literal

from opsctl.errors import Detached, OpsError, RolledBack, Superseded, TimedOut
from opsctl.snapshot.service import Deployment, Observation

Kind = Literal[
    "deployed", "deployed-unhealthy", "rolled-back", "superseded", "timed-out", "cancelled"
]
# Services made before 2020, and some emulators, have no rollout state.
_SETTLED = ("COMPLETED", "")


@dataclass(frozen=True, slots=True)
class Outcome:
    kind: Kind
    reason: str = ""

    def require(self) -> None:
        """Raise what `kind` means for the exit code; "deployed" raises nothing."""
        read = "opsctl logs tail --since 15m"
        if self.kind == "deployed-unhealthy":
            raise OpsError(f"deployed, but unhealthy: {self.reason}", hint=read)
        if self.kind == "rolled-back":
            raise RolledBack(f"rolled back: {self.reason}", hint=read)
        if self.kind == "superseded":
            raise Superseded(
                f"superseded: {self.reason}",
                hint="opsctl ecs status; the same command again, if yours shall win",
            )
        if self.kind == "timed-out":
            raise TimedOut(
                f"still running: {self.reason}",
                hint="opsctl update-tasks joins it and follows it to its end",
            )
        if self.kind == "cancelled":
            raise Detached(f"cancelled: {self.reason}")


@dataclass(frozen=True, slots=True)
class Goal:
    """The task definitions that run the image asked for, and the deployments before.

    With `forced`, a deployment of the same task definition counts only if it is not in `known`.
    """

    task_definitions: frozenset[str]
    before: str = ""
    before_definition: str = ""
    forced: bool = False
    known: frozenset[str] = frozenset()

    def is_ours(self, deployment: Deployment) -> bool:
        if deployment.task_definition not in self.task_definitions:
            return False
        return not (self.forced and deployment.id in self.known)


def judge(now: Observation, goal: Goal, *, ours: str) -> Outcome | None:
    """None while nothing is certain; `ours` is the id of our deployment once it was primary."""
    primary = now.primary
    if primary is None:
        return None
    if not ours and (primary.id == goal.before or goal.is_ours(primary)):
        return None
    if primary.id != ours:
        if primary.task_definition == goal.before_definition:
            return Outcome("rolled-back", _failure(now, goal, primary))
        return Outcome("superseded", _successor(goal, primary))
    others = (each for each in now.deployments if each.id != ours)
    settled = (
        primary.running == primary.desired == now.desired
        and primary.pending == 0
        and primary.state in _SETTLED
        and not any(each.running or each.pending for each in others)
    )
    if settled and not _waiting(now) and (healthy(now) >= now.desired or not now.balanced):
        return Outcome("deployed")
    # A failed deployment is no verdict yet: with rollback on, ECS makes the old one primary next.
    return None


def give_up(now: Observation, goal: Goal) -> Outcome:
    """What to call it when the time is over."""
    primary = now.primary
    if primary is not None and goal.is_ours(primary):
        if primary.state == "FAILED":
            return Outcome("deployed-unhealthy", primary.reason or "the deployment failed")
        if primary.running == primary.desired and primary.state in _SETTLED:
            return Outcome("deployed-unhealthy", _health(now))
    return Outcome("timed-out", f"{now.running} of {now.desired} tasks run; {_health(now)}")


def healthy(now: Observation) -> int:
    return sum(each.state == "healthy" for each in now.targets)


def _waiting(now: Observation) -> bool:
    return any(each.state in ("initial", "unhealthy") for each in now.targets)


def _health(now: Observation) -> str:
    bad = [each for each in now.targets if each.state != "healthy"]
    reasons = sorted({each.reason or each.state for each in bad})
    why = f" ({', '.join(reasons)})" if reasons else ""
    return f"{healthy(now)} of {now.desired} targets are healthy{why}"


def _failure(now: Observation, goal: Goal, primary: Deployment) -> str:
    told = [each for each in now.deployments if goal.is_ours(each)]
    # Once the old revision has settled again, its own reason says no more than that.
    told += [primary] if primary.state == "IN_PROGRESS" else []
    reason = next((each.reason for each in told if each.reason), "")
    return reason or f"{primary.revision} is the primary deployment again"


def _successor(goal: Goal, primary: Deployment) -> str:
    same = primary.task_definition in goal.task_definitions
    of = "a newer deployment of the same image" if same else "a deployment of another image"
    return f"{of} is the primary now: {primary.revision} ({primary.id})"
