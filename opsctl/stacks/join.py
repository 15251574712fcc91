"""Work beside others on the same stack: follow their operation, wait for their lock, then go on."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from opsctl import aws
from opsctl.errors import Busy
from opsctl.outcome import Outcome
from opsctl.procedure import Joining, Notice, Overtaken, Procedure, explained, follow, look_at
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.snapshot import Kind, Look, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import lock, states
from opsctl.stacks.operation import Operation

if TYPE_CHECKING:
    from opsctl.aws import Clients

R = TypeVar("R")
# CloudFormation's error codes for a stack that somebody else changed first.
_CODES = {
    *("ChangeSetNotFound", "ChangeSetNotFoundException"),
    *("InvalidChangeSetStatus", "InvalidChangeSetStatusException"),
    *("AlreadyExists", "AlreadyExistsException"),
    "OperationInProgressException",
}
_WORDS = re.compile(
    r"is in \w+ state and can ?not|cannot be deleted while in status \w+_IN_PROGRESS"
    r"|already exists and cannot be created|[Ss]tack .*does not exist"
)
AGAIN = "run the same command again: it joins what is running"
_ROUNDS = 20  # new attempts, when somebody else was faster
# Follows somebody else's operation and returns its outcome.
Join: TypeAlias = Callable[["Clients", StackState], Procedure[Outcome]]


def again(attempt: Callable[[], Procedure[R]]) -> Procedure[R]:
    """Run `attempt`, and again whenever somebody else changed the stack first.

    Raises Busy when others are faster every time.
    """
    for left in reversed(range(_ROUNDS)):
        try:
            return (yield from attempt())
        except Busy as overtaken:
            if not left:
                raise
            yield Overtaken(f"{overtaken.message}; looking again")
    raise AssertionError("there is at least one round")


def describe(kind: Kind) -> Procedure[StackState | None]:
    """Return the present state of the stack of this kind."""
    now = yield from look_at(Look(frozenset({"stacks"}), (kind,)))
    return now.require("stacks").stacks.get(kind)


def free(
    clients: "Clients",
    kind: Kind,
    *,
    join: Join | None = None,
    good: bool = True,
    own: Lock | None = None,
    patience: timedelta | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Procedure[StackState | None]:
    """Wait until nobody else changes the stack, and return it; None when there is none.

    A running operation is followed to its end; with `good`, a failed one ends the command with its
    cause. A lock is waited for, unless it is our `own`. Raises OpsError for a stack that is not
    ours, and for a lock that nobody renews; TimedOut when `patience` is over.
    """
    within = _bounds(patience, clock)
    while True:
        now = yield from look_at(Look(frozenset({"stacks", "locks"}), (kind,)))
        state = now.require("stacks").stacks.get(kind)
        held = now.locks.get(kind)
        if held is not None and own is not None and held.token == own.token:
            held = None
        if state is not None and state.exists:
            states.require_ours(state)
        if state is not None and state.in_progress:
            by = f" ({held.in_words})" if held is not None and held.held(now.at) else ""
            yield Joining(f"`{state.name}` is {state.status}{by}: joining what is running")
            following = (join or _join)(clients, state)
            outcome = yield from within(f"`{state.name}` is still being changed", following)
            if good or outcome.kind == "timed-out":
                outcome = yield from explained(outcome)
                outcome.require()
            continue
        subject = f"{held.in_words}: not at its end yet" if held else ""
        unlocked = yield from within(subject, _unlocked(clients, kind, held, now))
        if isinstance(unlocked, Outcome):
            unlocked.require()
        elif unlocked:
            return state


def _bounds(
    patience: timedelta | None, clock: Callable[[], float]
) -> Callable[[str, Procedure[R]], Procedure[R | Outcome]]:
    """Return what runs a procedure, and returns an outcome when the time of all is over."""
    began = clock()

    def look_at_the_clock() -> None:
        if patience is not None and clock() - began >= patience.total_seconds():
            raise _Late

    def within(subject: str, waits: Procedure[R]) -> Procedure[R | Outcome]:
        try:
            return (yield from lock.watched(waits, look_at_the_clock))
        except _Late:
            return Outcome("timed-out", subject, AGAIN)

    return within


class _Late(Exception):
    pass


def _unlocked(clients: "Clients", kind: Kind, held: Lock | None, now: Snapshot) -> Procedure[bool]:
    """Return whether nobody holds the lock. Waits once for a holder to end."""
    lock.require_free(clients, held, now.at)
    if held is None or held.closed:
        return True
    if clients.caller.gone(held.process):
        yield Notice(f"{held.in_words}: that command was killed, so its lock is removed")
        lock.remove(clients, now.names.system, held, now=now.at)
        return True
    yield Notice(
        f"{held.in_words}: waiting for its end; "
        f"if you know that it is gone: opsctl unlock {held.stack}"
    )
    yield from follow(Wait(kind, held, now), subject=f"waiting for {held.holder}")
    return False


@dataclass(frozen=True, slots=True)
class Wait:
    """Waits until a lock ends, or until its holder begins an operation."""

    kind: Kind
    held: Lock
    last: Snapshot

    @property
    def look(self) -> Look:
        return Look(frozenset({"stacks", "locks"}), (self.kind,))

    @property
    def over(self) -> bool:
        state, newest = self.last.stacks.get(self.kind), self.last.locks.get(self.kind)
        if newest is None or newest.number != self.held.number or not newest.held(self.last.at):
            return True
        return state is not None and state.in_progress

    def see(self, now: Snapshot) -> tuple[Self, tuple[object, ...]]:
        return replace(self, last=now), ()


def locked(
    clients: "Clients",
    kind: Kind,
    stack: str,
    procedure: Procedure[R],
    *,
    patience: timedelta | None = None,
) -> Procedure[R]:
    """Run the procedure under the stack's lock, waiting for the present holder first."""

    def take() -> Procedure[lock.Held]:
        try:
            return (yield from lock.take(clients, kind, stack))
        except Busy:
            yield from free(clients, kind, good=False, patience=patience)
            raise

    with (yield from again(take)) as held:
        return (yield from held.renewed(procedure))


def run(clients: "Clients", operation: Operation) -> Procedure[Operation]:
    """Follow an operation to its end and return it."""
    undo = Undo(clients, operation)
    subject = f"`{operation.stack}` is being changed"
    ended = yield from follow(operation, subject=subject, cancel=undo if undo.possible else None)
    return replace(ended, cancelled=undo.done)


def followed(clients: "Clients", operation: Operation) -> Procedure[Outcome]:
    """Follow an operation to its end and return its outcome."""
    return (yield from run(clients, operation)).outcome


@contextmanager
def busy(stack: str) -> Iterator[None]:
    """Raise Busy for AWS errors which mean that somebody else has changed this stack."""
    try:
        yield
    except Exception as error:
        if aws.code(error) in _CODES or (aws.code(error) and _WORDS.search(aws.message(error))):
            raise overtaken(stack) from error
        raise


def overtaken(stack: str) -> Busy:
    return Busy(
        f"somebody else is changing `{stack}`",
        hint=AGAIN,
    )


def _join(clients: "Clients", state: StackState) -> Procedure[Outcome]:
    return (yield from followed(clients, Operation.of(state)))


class Undo:
    """Cancels an operation: rolls an update back, or removes what our creation made."""

    def __init__(self, clients: "Clients", operation: Operation) -> None:
        self._cloudformation = clients.cloudformation
        self._id = operation.id
        self._creating = operation.expected == "CREATE_COMPLETE" and not operation.joined
        self.possible = self._creating or operation.expected == "UPDATE_COMPLETE"
        self.done = False

    def __call__(self) -> Procedure[None]:
        try:
            if self._creating:
                self._cloudformation.delete_stack(StackName=self._id)
            else:
                self._cloudformation.cancel_update_stack(StackName=self._id)
        except self._cloudformation.exceptions.ClientError as error:
            # Refused because the operation has ended; its events will say so.
            yield Notice(f"it cannot be cancelled any more: {aws.message(error)}", warning=True)
            return
        self.done = True
        what = (
            "CloudFormation deletes what it has created"
            if self._creating
            else "the update is rolled back"
        )
        yield Notice(f"cancelling: {what}")
