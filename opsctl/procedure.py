"""How long work speaks to whoever drives it.

A procedure is a generator of frozen values, the last of which is its outcome. Where it would look
at AWS or wait it yields `Waiting` and is answered with a Snapshot; where a person decides it
yields `Question` and is answered with True or False. It never prints, sleeps or asks by itself,
so a test can drive it with values alone.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, Self, TypeAlias, TypeVar

from opsctl.errors import Detached
from opsctl.outcome import Outcome
from opsctl.snapshot.snapshot import Look, Snapshot

R = TypeVar("R")
W = TypeVar("W", bound="Watch")
Procedure: TypeAlias = Generator[object, Any, R]
# Seconds between two looks: quick while things move, gentle while they do not, because a long
# operation must not use up the account's quota of calls.
_QUICKEST, _SLOWER, _SLOW, _SLOWEST = 0.2, 1.3, 1.0, 3.0
_QUICK_FOR = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Answered with a Snapshot of `look`, taken in `seconds`.

    `subject` says what goes on meanwhile, for whoever presses Ctrl-C.
    """

    seconds: float
    look: Look
    subject: str = ""
    cancellable: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """Answered with True or False. `name` must be typed when data would be lost.

    One that has an answer `unasked` takes that where nobody is there to be asked, and where
    nobody answers for a while: what it is about does not wait.
    """

    text: str
    name: str = ""
    unasked: bool | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence that has no better form; a `warning` is worth a second look."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Joining(Notice):
    """Somebody else's operation runs, and is followed before anything of ours."""


@dataclass(frozen=True, slots=True)
class Overtaken(Notice):
    """Somebody else was quicker."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A bad outcome. Answered with the same one, its reason and hint told by what was recorded."""

    outcome: Outcome


class Cancel(Exception):
    """Thrown into a procedure at a Waiting that is `cancellable`: undo what goes on."""


class Watch(Protocol):
    """What is followed, as far as it was seen. Pure: a new snapshot gives a new watch, and news."""

    @property
    def look(self) -> Look: ...

    @property
    def over(self) -> bool: ...

    def see(self, now: Snapshot) -> tuple[Self, tuple[object, ...]]: ...


def look_at(look: Look) -> Procedure[Snapshot]:
    """One look, now."""
    now = yield Waiting(0.0, look)
    assert isinstance(now, Snapshot)
    return now


def ask(text: str, *, name: str = "", unasked: bool | None = None) -> Procedure[bool]:
    answer = yield Question(text, name, unasked)
    return bool(answer)


def explained(outcome: Outcome) -> Procedure[Outcome]:
    """The outcome with its cause, where whoever drives the procedure knows it."""
    if outcome.good:
        return outcome
    answer = yield Failed(outcome)
    return answer if isinstance(answer, Outcome) else outcome


def follow(
    watch: W,
    *,
    subject: str,
    cancel: Callable[[], Procedure[None]] | None = None,
    act: Callable[[W, Snapshot], Iterable[object]] = lambda watch, now: (),
    decide: Callable[[W, Snapshot], Procedure[None]] | None = None,
) -> Procedure[W]:
    """The one loop: look, tell what is new, until the watch is over.

    `act` may help after each look, `decide` may ask and end what goes on. `cancel` undoes it.
    Whatever they do, it is followed to its end all the same.
    """
    pause, began = 0.0, None
    while True:
        try:
            now = yield Waiting(pause, watch.look, subject, cancel is not None)
        except Cancel:
            assert cancel is not None
            yield from cancel()
            continue
        assert isinstance(now, Snapshot)
        began = began or now.at
        watch, news = watch.see(now)
        yield from news
        acted = list(act(watch, now))
        yield from acted
        if watch.over:
            return watch
        if decide is not None:
            yield from decide(watch, now)
        slowest = _SLOW if now.at - began < _QUICK_FOR else _SLOWEST
        pause = _QUICKEST if news or acted else min(max(pause, _QUICKEST) * _SLOWER, slowest)


class Driver(Iterator[object]):
    """Iterate a procedure: it sleeps and looks where the procedure waits, and passes on the rest.

    Snapshots are passed on too, for a screen or a recorder. An exception at a wait (Ctrl-C) loses
    nothing: iterate on, or `cancel`, or `detach`. `result` is what the procedure returned.
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

    def __next__(self) -> object:
        if self.waiting is not None:
            return self._wait(self.waiting)
        if self._next is not None:
            item, self._next = self._next, None
        else:
            answer, self._answer = self._answer, None
            item = self._step(lambda: self._procedure.send(answer))
        if isinstance(item, Waiting):
            self.waiting = item
        return item

    def answer(self, answer: object) -> None:
        """To the Question, or the bad outcome, that was the last item."""
        self._answer = answer

    def cancel(self) -> None:
        self._throw(Cancel())

    def detach(self) -> None:
        """Leave what goes on to itself. Raises Detached unless the procedure has more to say."""
        subject = self.waiting.subject if self.waiting else ""
        self._throw(
            Detached(
                f"detached: {subject}" if subject else "detached",
                hint="run the same command again to follow it to its end",
            )
        )

    def close(self) -> None:
        """End the procedure where it stands; what it must clean up, it cleans up now."""
        self._procedure.close()

    def _wait(self, waiting: Waiting) -> Snapshot:
        if waiting.seconds:
            self._sleep(waiting.seconds)
        now = self._look(waiting.look)
        self.waiting, self._answer = None, now
        return now

    def _throw(self, error: Exception) -> None:
        self.waiting = None
        self._next = self._step(lambda: self._procedure.throw(error))

    def _step(self, step: Callable[[], object]) -> object:
        try:
            return step()
        except StopIteration as stop:
            self.result = stop.value
            raise
