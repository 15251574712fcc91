"""The error for a stack that a command needs and that is not there."""

from opsctl.cause import stacks
from opsctl.cause.history import History
from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.procedure import Procedure, look_at
from opsctl.snapshot.snapshot import Kind, Look
from opsctl.stacks import definition


def absent(config: Config, kind: Kind) -> Procedure[OpsError]:
    """Return the error. It says whether somebody deleted the stack, which the ledger shows."""
    now = yield from look_at(Look(frozenset({"stacks", "releases"}), (kind,), releases=1))
    for cause in stacks.gone(History.of([now])):
        return OpsError(cause.sentence, hint=cause.next, cause=cause.id)
    name = definition.stack_name(config, kind)
    return OpsError(f"there is no stack `{name}`", hint=f"opsctl {kind} up")
