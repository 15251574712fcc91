"""What is known to keep new tasks from starting, before anything is done that needs them."""

from collections.abc import Iterator

from opsctl.cause import rank
from opsctl.cause.cause import Cause
from opsctl.cause.history import History
from opsctl.cause.looks import EVERYTHING
from opsctl.errors import OpsError
from opsctl.procedure import Procedure, look_at
from opsctl.snapshot.snapshot import Look, Snapshot

_LOOK_AT_GROUP = Look(frozenset({"group", "instances", "service", "stacks"}), ("ecs",))
_OF_THE_GROUP = {"no-instance", "asg-cannot-launch", "instances-draining", "group-resized"}
_OF_EVERY_TASK = {
    *("log-group-missing", "image-not-found", "secret-missing", "secret-empty"),
    *("service-gone", "target-group-gone", "service-unbalanced", "listener-gone"),
}
KEEPS = _OF_THE_GROUP | _OF_EVERY_TASK


def require_group() -> Procedure[None]:
    """Raise OpsError when the Auto Scaling group itself is why tasks have no room."""
    now = yield from look_at(_LOOK_AT_GROUP)
    first = next(_hindering(now, _OF_THE_GROUP), None)
    if first is not None and first.confidence == "certain":
        some = any(one.takes_tasks for one in now.instances)
        raise _error(f"cannot start: {'' if some else 'no instance takes tasks: '}", first)


def require_elsewhere() -> Procedure[None]:
    """Raise OpsError when no task could start on another instance: then none may be drained."""
    hindering = _hindering((yield from look_at(EVERYTHING)), _OF_EVERY_TASK)
    first = next((one for one in hindering if one.confidence == "certain"), None)
    if first is not None:
        raise _error("no task could start on another instance: ", first)


def _hindering(now: Snapshot, ids: set[str]) -> Iterator[Cause]:
    """Yield the causes of these ids that stop something now, the one to act on first."""
    causes = rank.rank(History.of([now]))
    return (one for one in causes if one.id in ids and one.hinders and not one.over)


def _error(before: str, cause: Cause) -> OpsError:
    return OpsError(f"{before}{cause.sentence}", hint=cause.next, cause=cause.id)
