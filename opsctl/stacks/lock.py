"""The lock of a stack: one command at a time. It is advisory; every opsctl command respects it.

AWS itself blocks changes while a stack is IN_PROGRESS. The lock also covers the time before and
after, such as a build. If it cannot be written, commands work without it.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from opsctl import aws
from opsctl.errors import Busy, OpsError
from opsctl.procedure import Notice, Procedure
from opsctl.snapshot import locks, parameters
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.parameters import Parameter
from opsctl.snapshot.snapshot import Kind

if TYPE_CHECKING:
    from opsctl.aws import Clients

R = TypeVar("R")
# Long, because a build may be silent and commands outlast an AWS outage of three minutes.
LASTS = timedelta(minutes=10)
_RENEWED = timedelta(minutes=1)
_KEPT = 4  # closed locks kept per stack; older ones are deleted
_TRIES = 20


class Held:
    """A lock that we hold until the block ends; empty if it could not be written."""

    def __init__(
        self, clients: "Clients", system: str, lock: Lock | None, now: Callable[[], datetime]
    ) -> None:
        self._clients, self._system, self._now = clients, system, now
        self.lock = lock
        self._renewed = now()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        lock, self.lock = self.lock, None
        if lock is not None:
            _put_away(self._clients, self._system, lock, self._now(), self._renewed + LASTS)

    def renewed(self, procedure: Procedure[R]) -> Procedure[R]:
        """Run the procedure and renew the lock meanwhile."""
        return (yield from watched(procedure, self.renew))

    def renew(self) -> None:
        now = self._now()
        if self.lock is None or now - self._renewed < _RENEWED:
            return
        self._renewed = now
        name = locks.path(self._system, self.lock.stack, self.lock.number)
        value = _value(self.lock, now)
        aws.tidy(self._clients, lambda: _put(self._clients, name, value, again=True))


def watched(procedure: Procedure[R], before_item: Callable[[], None]) -> Procedure[R]:
    """Pass on everything that the procedure yields, and call `before_item` before each item."""
    step: Callable[[], object] = partial(next, procedure)
    with closing(procedure):
        while True:
            try:
                item = step()
            except StopIteration as stop:
                result: R = stop.value
                return result
            before_item()
            try:
                answer = yield item
            except Exception as error:
                step = partial(procedure.throw, error)
            else:
                step = partial(procedure.send, answer)


def take(
    clients: "Clients",
    kind: Kind,
    stack: str,
    *,
    over: int = 0,
    now: Callable[[], datetime] | None = None,
) -> Procedure[Held]:
    """Take the lock of this stack. Raises Busy when another command holds it.

    `over` is the number of a lock that somebody agreed to take over: it is closed, and its holder
    ignored.
    """
    system = stack.removesuffix(f"-{kind}")
    now = now or clients.clock.now
    try:
        return Held(clients, system, _taken(clients, system, stack, over, now), now)
    except Exception as error:
        if aws.fault(error) != "refused":
            raise
        refusal = aws.translate(error)
        yield Notice(
            f"`{stack}` is not locked against others: {refusal.message if refusal else error}",
            warning=True,
        )
        return Held(clients, system, None, now)


def require_free(clients: "Clients", lock: Lock | None, now: datetime) -> None:
    """Raise OpsError for a lock whose holder is gone, unless it was a command on this machine."""
    if lock is None or lock.closed or lock.held(now) or clients.caller.gone(lock.process):
        return
    until = f", not renewed after {lock.until:%H:%M} UTC" if lock.until else ""
    raise OpsError(
        f"{lock.in_words}{until}: its holder seems to be gone",
        hint=f"look at the stack, then remove the lock: opsctl unlock {lock.stack}",
        cause="lock-stale",
    )


def close(clients: "Clients", system: str, lock: Lock, *, now: datetime) -> None:
    """Close a lock. Does nothing if it is closed already."""
    name = locks.closing(system, lock.stack, lock.number)
    value = {"token": uuid.uuid4().hex, "who": clients.who(), "at": now.isoformat()}
    try:
        _put(clients, name, json.dumps(value))
    except clients.ssm.exceptions.ParameterAlreadyExists:
        return


def remove(clients: "Clients", system: str, lock: Lock, *, now: datetime) -> None:
    """Close a lock, if this caller may; a refusal is ignored."""
    try:
        close(clients, system, lock, now=now)
    except Exception as error:
        if aws.fault(error) is None:
            raise


def _taken(
    clients: "Clients", system: str, stack: str, over: int, now: Callable[[], datetime]
) -> Lock:
    token, floor = uuid.uuid4().hex, 0
    for _ in range(_TRIES):
        kept = locks.read(clients.ssm, system, stack)
        newest = kept[-1] if kept else None
        if newest is not None and not newest.closed:
            if newest.number != over and not clients.caller.gone(newest.process):
                raise Busy(newest.in_words)
            close(clients, system, newest, now=now())
        number = max(newest.number if newest else 0, floor) + 1
        lock = _ours(clients, stack, number, token, now())
        with _or_put_away(clients, system, lock, now):
            token_there = _make(clients, system, lock)
            if token_there != token:
                # The name was deleted just now and cannot be created again yet, so nobody has it.
                floor = floor if token_there else number
                continue
            # After a long silence, this number may have been used and deleted by others.
            after = locks.read(clients.ssm, system, stack)
            if any(one.number > number for one in after):
                close(clients, system, lock, now=now())
                continue
            # Inside of this block, too: until it ends, nobody else puts the lock away.
            aws.tidy(clients, partial(_remove, clients, system, after))
        return lock
    raise Busy(f"`{stack}` is locked by one command after another")


def _ours(clients: "Clients", stack: str, number: int, token: str, now: datetime) -> Lock:
    caller = clients.caller
    return Lock(
        stack,
        number,
        token,
        clients.who(),
        caller.host,
        caller.process,
        caller.command,
        caller.why,
        now,
        now + LASTS,
    )


def _make(clients: "Clients", system: str, lock: Lock) -> str:
    """Create the lock and return the token now stored under its number.

    The token is ours or somebody else's, or '' when the number holds nothing.
    """
    assert lock.since is not None
    name = locks.path(system, lock.stack, lock.number)
    try:
        _put(clients, name, _value(lock, lock.since))
    except clients.ssm.exceptions.ParameterAlreadyExists:
        # It exists because the call was repeated after its first answer was lost.
        there = parameters.named(clients.ssm, [name]).get(name)
        return str(there.fields.get("token") or "?") if there else ""
    return lock.token


@contextmanager
def _or_put_away(
    clients: "Clients", system: str, lock: Lock, now: Callable[[], datetime]
) -> Iterator[None]:
    """If taking a lock is interrupted, close one that was already created."""
    try:
        yield
    except BaseException as error:
        made = getattr(error, "operation_name", "") != "PutParameter" or (
            aws.fault(error) != "refused"
        )
        there = _its_token(clients, system, lock) if made else ""
        if there is None:
            clients.left.append(_stays(lock, now() + LASTS))
        elif there == lock.token:
            # Only our own: closing a lock that does not exist would close the next one of that
            # number.
            _put_away(clients, system, lock, now(), now() + LASTS)
        raise


def _its_token(clients: "Clients", system: str, lock: Lock) -> str | None:
    """Return the token stored under the lock's number; '' for none, None when it cannot be read."""
    name, there = locks.path(system, lock.stack, lock.number), dict[str, Parameter]()
    known = aws.tidy(clients, lambda: there.update(parameters.named(clients.ssm, [name])))
    token = str(there[name].fields.get("token") or "") if name in there else ""
    return token if known else None


def _put_away(clients: "Clients", system: str, lock: Lock, now: datetime, until: datetime) -> None:
    """Close our lock on the way out; if that fails, say that it stays."""
    if not aws.tidy(clients, lambda: close(clients, system, lock, now=now)):
        clients.left.append(_stays(lock, until))


def _stays(lock: Lock, until: datetime) -> str:
    return (
        f"the lock of `{lock.stack}` could not be closed, and holds others up until "
        f"{until:%H:%M} UTC; to remove it: opsctl unlock {lock.stack}"
    )


def _remove(clients: "Clients", system: str, kept: tuple[Lock, ...]) -> None:
    """Delete old locks. Their numbers are below one that stays, so they are not used again."""
    names = [
        name
        for lock in kept[:-_KEPT]
        for name in (
            locks.closing(system, lock.stack, lock.number),
            locks.path(system, lock.stack, lock.number),
        )
    ]
    for at in range(0, len(names), parameters.BATCH):
        clients.ssm.delete_parameters(Names=names[at : at + parameters.BATCH])


def _value(lock: Lock | None, now: datetime) -> str:
    assert lock is not None and lock.since is not None
    fields = {
        "token": lock.token,
        "who": lock.who,
        "host": lock.host,
        "process": lock.process,
        # A value holds at most 4 KB, and JSON takes six bytes for some characters.
        "command": lock.command[:300],
        "why": lock.why[:200],
        "since": lock.since.isoformat(),
        "until": (now + LASTS).isoformat(),
    }
    return parameters.written(fields)


def _put(clients: "Clients", name: str, value: str, *, again: bool = False) -> None:
    clients.ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=again)
