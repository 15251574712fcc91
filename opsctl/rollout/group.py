"""Why tasks have no room, as far as the Auto Scaling group tells it."""

from opsctl.cause import rank
from opsctl.cause.history import History
from opsctl.errors import OpsError
from opsctl.procedure import Procedure, look_at
from opsctl.snapshot.snapshot import Look

_LOOK = Look(frozenset({"group", "instances", "service", "stacks"}), ("ecs",))
OF_THE_GROUP = {"no-instance", "asg-cannot-launch", "instances-draining", "group-resized"}


def require_whole() -> Procedure[None]:
    """Raise OpsError when the group itself is why tasks have no room."""
    now = yield from look_at(_LOOK)
    causes = [one for one in rank.rank(History.of([now])) if one.hinders and not one.over]
    first = next((one for one in causes if one.id in OF_THE_GROUP), None)
    if first is not None and first.confidence == "certain":
        some = any(one.takes_tasks for one in now.instances)
        raise OpsError(
            f"cannot start: {'' if some else 'no instance takes tasks: '}{first.sentence}",
            hint=first.next,
            cause=first.id,
        )
