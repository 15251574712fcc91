"""Why there is no instance for any task, as far as the Auto Scaling group tells it."""

from opsctl.cause import rank
from opsctl.cause.history import History
from opsctl.errors import OpsError
from opsctl.snapshot.snapshot import Snapshot

_OF_THE_GROUP = {"no-instance", "asg-cannot-launch", "instances-draining"}


def require_launches(now: Snapshot) -> None:
    """Raises OpsError when the group itself is why no instance takes tasks."""
    causes = rank.rank(History.of([now]))
    first = next((one for one in causes if one.id in _OF_THE_GROUP and not one.over), None)
    if first is not None and first.confidence == "certain":
        raise OpsError(
            f"cannot start: no instance takes tasks: {first.sentence}",
            hint=first.next,
            cause=first.id,
        )
