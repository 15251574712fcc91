"""One command at a time: the lock of a stack, an advice that every command of opsctl heeds.

A stack's own IN_PROGRESS is what AWS enforces; the lock covers the time before and after it, such
as a build. Where it may not be written, everything goes on without it.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

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
# Long, because a build may be silent, and because an outage of AWS of three minutes is outlasted.
LASTS = timedelta(minutes=10)
_RENEWED = timedelta(minutes=1)
_KEPT = 4  # closed locks of a stack; older ones are removed
_TRIES = 20


def utc_now() -> datetime:
    return datetime.now(UTC)


class Held:
    """A lock that is ours until the block ends; an empty one where it could not be written."""

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
        """Renew the lock while the procedure is driven."""
        return (yield from watched(procedure, self.renew))

    def renew(self) -> None:
        now = self._now()
        if self.lock is None or now - self._renewed < _RENEWED:
            return
        self._renewed = now
        name = locks.path(self._system, self.lock.stack, self.lock.number)
        with self._clients.briefly():
            _quietly(lambda: _put(self._clients, name, _value(self.lock, now), again=True))


def watched(procedure: Procedure[R], before_item: Callable[[], None]) -> Procedure[R]:
    """Pass on all that the procedure yields, and call `before_item` before each."""
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
    over: bool = False,
    now: Callable[[], datetime] = utc_now,
) -> Procedure[Held]:
    """The lock of this stack. Raises Busy when somebody else's command holds it.

    With `over` a lock that is held is closed, and its holder is no longer heeded.
    """
    system = stack.removesuffix(f"-{kind}")
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
    """Raises OpsError for a lock whose holder is gone, unless it was a command of this machine."""
    if lock is None or lock.closed or lock.held(now) or clients.caller.gone(lock.process):
        return
    until = f", not renewed after {lock.until:%H:%M} UTC" if lock.until else ""
    raise OpsError(
        f"{lock.in_words}{until}: its holder seems to be gone",
        hint=f"look at the stack, then remove the lock: opsctl unlock {lock.stack}",
        cause="lock-stale",
    )


def close(clients: "Clients", system: str, lock: Lock, *, now: datetime) -> None:
    """End a lock; one that has ended already is left as it is."""
    name = locks.closing(system, lock.stack, lock.number)
    value = {"token": uuid.uuid4().hex, "who": clients.who(), "at": now.isoformat()}
    try:
        _put(clients, name, json.dumps(value))
    except clients.ssm.exceptions.ParameterAlreadyExists:
        return


def remove(clients: "Clients", system: str, lock: Lock, *, now: datetime) -> None:
    """End a lock that holds nobody up, if this caller may."""
    _quietly(partial(close, clients, system, lock, now=now))


def _taken(
    clients: "Clients", system: str, stack: str, over: bool, now: Callable[[], datetime]
) -> Lock:
    token, floor = uuid.uuid4().hex, 0
    for _ in range(_TRIES):
        kept = locks.read(clients.ssm, system, stack)
        newest = kept[-1] if kept else None
        if newest is not None and not newest.closed:
            if not over and not clients.caller.gone(newest.process):
                raise Busy(newest.in_words)
            close(clients, system, newest, now=now())
        number = max(newest.number if newest else 0, floor) + 1
        lock = _ours(clients, stack, number, token, now())
        with _or_put_away(clients, system, lock, now):
            token_there = _make(clients, system, lock)
            if token_there != token:
                # Nobody's: a name that somebody deleted just now cannot be made again yet.
                floor = floor if token_there else number
                continue
            # Who was silent for long may have made a number that had come, gone and been removed.
            after = locks.read(clients.ssm, system, stack)
        if any(one.number > number for one in after):
            close(clients, system, lock, now=now())
            continue
        _quietly(partial(_remove, clients, system, after))
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
    """The token that now stands under this number: ours, somebody else's, or '' for none."""
    assert lock.since is not None
    name = locks.path(system, lock.stack, lock.number)
    try:
        _put(clients, name, _value(lock, lock.since))
    except clients.ssm.exceptions.ParameterAlreadyExists:
        # A call that was repeated meets what its first answer, lost on the way, has made.
        there = parameters.named(clients.ssm, [name]).get(name)
        return str(there.fields.get("token") or "?") if there else ""
    return lock.token


@contextmanager
def _or_put_away(
    clients: "Clients", system: str, lock: Lock, now: Callable[[], datetime]
) -> Iterator[None]:
    """Whatever ends the taking of a lock: one that was made already is nobody's to hold."""
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
            # And no other: closing what is not there would close the next one of its number.
            _put_away(clients, system, lock, now(), now() + LASTS)
        raise


def _its_token(clients: "Clients", system: str, lock: Lock) -> str | None:
    """What stands under its number; '' for nothing, None when it cannot be read."""
    name, there = locks.path(system, lock.stack, lock.number), dict[str, Parameter]()
    with clients.briefly():
        known = _quietly(lambda: there.update(parameters.named(clients.ssm, [name])))
    token = str(there[name].fields.get("token") or "") if name in there else ""
    return token if known else None


def _put_away(clients: "Clients", system: str, lock: Lock, now: datetime, until: datetime) -> None:
    """Close a lock of ours on the way out, or have it said that it stays."""
    with clients.briefly():
        if not _quietly(lambda: close(clients, system, lock, now=now)):
            clients.left.append(_stays(lock, until))


def _stays(lock: Lock, until: datetime) -> str:
    return (
        f"the lock of `{lock.stack}` could not be closed, and holds others up until "
        f"{until:%H:%M} UTC; to remove it: opsctl unlock {lock.stack}"
    )


def _remove(clients: "Clients", system: str, kept: tuple[Lock, ...]) -> None:
    """Old locks: all their numbers are below one that stays, so none is made again."""
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
        # A value has at most 4 KB, and JSON writes six bytes for some characters.
        "command": lock.command[:300],
        "why": lock.why[:200],
        "since": lock.since.isoformat(),
        "until": (now + LASTS).isoformat(),
    }
    return parameters.written(fields)


def _put(clients: "Clients", name: str, value: str, *, again: bool = False) -> None:
    clients.ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=again)


def _quietly(call: Callable[[], Any]) -> bool:
    """For what may fail without harm: an old lock stays, or one that ends by itself."""
    try:
        call()
    except Exception as error:
        if aws.fault(error) is None:
            raise
        return False
    return True
