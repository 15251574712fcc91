"""The error for what a command needs and that is not there: it says what somebody deleted."""

from opsctl.cause import balancer, stacks, stores
from opsctl.cause.history import History
from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.procedure import Procedure, look_at
from opsctl.snapshot.snapshot import Kind, Look, Snapshot
from opsctl.stacks import definition

_LOOK = Look(frozenset({"stacks", "releases"}), ("db", "ecs"), releases=1)
_RULES = (stacks.gone, balancer.service_gone, stores.cache_gone)


def absent(config: Config, kind: Kind) -> Procedure[OpsError]:
    """Return the error for a missing stack. The ledger shows whether there was one."""
    deleted = gone((yield from look_at(_LOOK)))
    name = definition.stack_name(config, kind)
    return deleted or OpsError(f"there is no stack `{name}`", hint=f"opsctl {kind} up")


def gone(now: Snapshot) -> OpsError | None:
    """Return the error for a stack, service or cache that somebody deleted, or None."""
    history = History.of([now])
    causes = (cause for rule in _RULES for cause in rule(history))
    errors = (OpsError(one.sentence, hint=one.next, cause=one.id) for one in causes)
    return next(errors, None)
