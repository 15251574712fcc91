"""Remove a lock that its holder left: show the holder and the stack's state, then ask."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from opsctl.config.duration import format_duration
from opsctl.errors import ConfigError
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure, ask, look_at
from opsctl.snapshot.snapshot import KINDS, Kind, Look
from opsctl.stacks import lock, states
from opsctl.stacks.operation import StackResult

if TYPE_CHECKING:
    from opsctl.aws import Clients


def unlock(clients: "Clients", stack: str) -> Procedure[Outcome]:
    """`stack` is a stack's name (`web-ecs`) or kind (`ecs`). Raises ConfigError for any other."""
    now = yield from look_at(Look(frozenset({"stacks", "locks"}), KINDS))
    now.require("locks")
    kind = _kind(stack, now.names.stacks)
    name, held, state = now.names.stacks[kind], now.locks.get(kind), now.stacks.get(kind)
    if held is None or held.closed:
        yield Notice(f"`{name}` is not locked")
        yield StackResult(name, Outcome("no-changes"))
        return Outcome("no-changes")
    yield Notice(held.in_words)
    if state is not None:
        yield state
    if state is not None and state.in_progress:
        yield Notice(f"{states.in_words(state)}: it is being changed right now", warning=True)
    elif held.held(now.at) and not clients.caller.gone(held.process):
        ago = format_duration(lock.LASTS)
        text = f"its holder renewed it less than {ago} ago, and may still be working"
        yield Notice(text, warning=True)
    if not (yield from ask(f"remove the lock of {held.holder} from `{name}`?")):
        return Outcome("cancelled", f"`{name}` stays locked")
    lock.close(clients, now.names.system, held, now=now.at)
    yield Notice(f"`{name}` is not locked any more")
    yield StackResult(name, Outcome("removed"))
    return Outcome("removed")


def _kind(stack: str, names: Mapping[Kind, str]) -> Kind:
    for kind, name in names.items():
        if stack in (kind, name):
            return kind
    raise ConfigError(
        f"`{stack}` is not a stack of this system",
        hint=f"its stacks: {', '.join(names.values())}; for instance: opsctl unlock {names['ecs']}",
    )
