"""The protocol between long work and its driver.

A procedure is a generator of frozen values, the last of which is its outcome. To read AWS or to
wait, it yields `Waiting` and receives a Snapshot; to let a person decide, it yields `Question` and
receives True or False. It never prints, sleeps or asks by itself, so a test can drive it with
values alone.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from inspect import GEN_SUSPENDED, getgeneratorstate
from typing import Any, Protocol, Self, TypeAlias, TypeVar

from opsctl.errors import Detached
from opsctl.outcome import Outcome
from opsctl.snapshot.snapshot import Look, Snapshot

R = TypeVar("R")
W = TypeVar("W", bound="Watch")
Procedure: TypeAlias = Generator[object, Any, R]
# Seconds between two snapshots: short while things change, longer while they do not, because a long
# operation must not use up the account's quota of calls.
_QUICKEST, _SLOWER, _SLOW, _SLOWEST = 0.2, 1.3, 1.0, 3.0
_QUICK_FOR = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Receives a Snapshot of `look`, taken in `seconds`.

    `subject` says what is under way, for a person who presses Ctrl-C. `alone` means that AWS goes
    on with it without this command.
    """

    seconds: float
    look: Look
    subject: str = ""
    cancellable: bool = False
    alone: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """Receives True or False. `name` must be typed when data would be lost.

    `unasked` is the answer when nobody can be asked or nobody answers for a while, for questions
    that cannot wait.
    """

    text: str
    name: str = ""
    unasked: bool | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence without a value of its own. A `warning` deserves attention."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Joining(Notice):
    """Somebody else's operation is under way; it is followed before ours begins."""


@dataclass(frozen=True, slots=True)
class Overtaken(Notice):
    """Somebody else changed the stack first."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A bad outcome. Receives it back with a reason and hint from what was recorded."""

    outcome: Outcome


class Cancel(Exception):
    """Thrown into a procedure at a `cancellable` Waiting: undo what is under way."""


class Watch(Protocol):
    """The state of what is followed. Pure: a new snapshot gives a new watch and the news."""

    @property
    def look(self) -> Look: ...

    @property
    def over(self) -> bool: ...

    def see(self, now: Snapshot) -> tuple[Self, tuple[object, ...]]: ...


def look_at(look: Look) -> Procedure[Snapshot]:
    """Take one snapshot now."""
    now = yield Waiting(0.0, look)
    assert isinstance(now, Snapshot)
    return now


def ask(text: str, *, name: str = "", unasked: bool | None = None) -> Procedure[bool]:
    answer = yield Question(text, name, unasked)
    return bool(answer)


def explained(outcome: Outcome) -> Procedure[Outcome]:
    """Return the outcome with its cause, if the driver knows it. What a person ends has none."""
    if outcome.good or outcome.kind == "cancelled":
        return outcome
    answer = yield Failed(outcome)
    return answer if isinstance(answer, Outcome) else outcome


def follow(
    watch: W,
    *,
    subject: str,
    cancel: Callable[[], Procedure[None]] | None = None,
    act: Callable[[W, Snapshot], Iterable[object]] | None = None,
    decide: Callable[[W, Snapshot], Procedure[None]] | None = None,
) -> Procedure[W]:
    """The one loop: take a snapshot, yield what is new, until the watch is over.

    `act` may act after each snapshot, `decide` may ask and end what is under way, `cancel` undoes
    it. Whatever they do, it is followed to its end.
    """
    pause, began = 0.0, None
    while True:
        try:
            now = yield Waiting(pause, watch.look, subject, cancel is not None, act is None)
        except Cancel:
            assert cancel is not None
            yield from cancel()
            continue
        assert isinstance(now, Snapshot)
        began = began or now.at
        watch, news = watch.see(now)
        yield from news
        acted = list(act(watch, now)) if act else []
        yield from acted
        if watch.over:
            return watch
        if decide is not None:
            yield from decide(watch, now)
        slowest = _SLOW if now.at - began < _QUICK_FOR else _SLOWEST
        pause = _QUICKEST if news or acted else min(max(pause, _QUICKEST) * _SLOWER, slowest)


class Driver(Iterator[object]):
    """Iterates a procedure: sleeps and takes snapshots where it waits, and passes on all other
    items.

    Snapshots are passed on, too, for a screen or a recorder. Ctrl-C at a wait loses nothing:
    continue to iterate, or call `cancel` or `detach`. The procedure gets the error of a snapshot
    that cannot be taken. `result` is what the procedure returned. `subject` is what is under way
    in AWS, or ''; `alone` whether AWS goes on with it without this command.
    """

    result: Any = None

    def __init__(
        self,
        procedure: Procedure[Any],
        *,
        look: Callable[[Look], Snapshot],
        sleep: Callable[[float], None],
    ) -> None:
        self._procedure = procedure
        self._look = look
        self._sleep = sleep
        self._answer: object = None
        self._next: object = None
        self.waiting: Waiting | None = None
        self.subject, self.alone = "", True
        self._interrupted = False

    def __next__(self) -> object:
        if self.waiting is not None:
            if self._interrupted and self.waiting.subject:
                self._interrupted = False
                raise KeyboardInterrupt
            return self._wait(self.waiting)
        if self._next is not None:
            item, self._next = self._next, None
        else:
            answer, self._answer = self._answer, None
            item = self._step(lambda: self._procedure.send(answer))
        if isinstance(item, Waiting):
            self.waiting = item
            self.subject, self.alone = item.subject, item.alone
        elif isinstance(item, Question):
            self.subject = ""
        return item

    def interrupt(self) -> bool:
        """Let Ctrl-C at an item take effect at the next wait.

        Returns False if nothing is under way, or if the procedure itself was interrupted.
        """
        alive = getgeneratorstate(self._procedure) == GEN_SUSPENDED
        self._interrupted = alive and bool(self.subject)
        return self._interrupted

    def answer(self, answer: object) -> None:
        """Answer the Question or bad outcome that was the last item."""
        self._answer = answer

    def cancel(self) -> None:
        self._throw(Cancel())

    def detach(self) -> None:
        """Let what is under way continue alone.

        Raises Detached unless the procedure has more to yield.
        """
        subject = self.waiting.subject if self.waiting else ""
        how = "detached" if self.alone else "stopped half-way"
        to = "to follow it to its end" if self.alone else "to go on from there"
        self._throw(
            Detached(
                f"{how}: {subject}" if subject else how, hint=f"run the same command again {to}"
            )
        )

    def close(self) -> None:
        """End the procedure where it is; it cleans up after itself now."""
        self._procedure.close()

    def _wait(self, waiting: Waiting) -> object:
        if waiting.seconds:
            self._sleep(waiting.seconds)
        try:
            now = self._look(waiting.look)
        except Exception as error:
            # The procedure may do without what it wanted to see.
            failed = error
        else:
            self.waiting, self._answer = None, now
            return now
        item = self._step(lambda: self._procedure.throw(failed))
        self.waiting = item if isinstance(item, Waiting) else None
        self.subject = self.waiting.subject if self.waiting else self.subject
        return item

    def _throw(self, error: Exception) -> None:
        self.waiting = None
        self._next = self._step(lambda: self._procedure.throw(error))

    def _step(self, step: Callable[[], object]) -> object:
        try:
            return step()
        except StopIteration as stop:
            self.result = stop.value
            raise
