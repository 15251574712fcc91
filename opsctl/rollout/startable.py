"""What keeps every new task from starting: then no instance may be drained."""

from opsctl.cause import rank
from opsctl.cause.history import History
from opsctl.cause.looks import EVERYTHING
from opsctl.errors import OpsError
from opsctl.procedure import Procedure, look_at

KEEPS = {
    *("log-group-missing", "image-not-found", "secret-missing", "secret-empty"),
    *("service-gone", "target-group-gone", "listener-gone"),
}


def require() -> Procedure[None]:
    """Raise OpsError with the cause, if there is one for certain."""
    causes = rank.rank(History.of([(yield from look_at(EVERYTHING))]))
    present = (one for one in causes if one.id in KEEPS and not one.over)
    first = next((one for one in present if one.hinders and one.confidence == "certain"), None)
    if first is not None:
        raise OpsError(
            f"no task could start on another instance: {first.sentence}",
            hint=first.next,
            cause=first.id,
        )
