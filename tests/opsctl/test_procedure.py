"""The driver between a procedure and a person: nothing is lost by Ctrl-C."""

from typing import Any

import pytest

from opsctl.errors import Detached
from opsctl.procedure import (
    Cancel,
    Driver,
    Notice,
    Procedure,
    Question,
    Waiting,
    ask,
    follow,
    look_at,
)
from opsctl.snapshot.snapshot import Look, Snapshot
from tests.opsctl.snapshots import NAMES, START

NOW = Snapshot(START, NAMES)


def driver(procedure: Procedure[Any], *, look: Any = lambda look: NOW, sleep: Any = None) -> Driver:
    return Driver(procedure, look=look, sleep=sleep or (lambda seconds: None))


def talk() -> Procedure[str]:
    now = yield from look_at(Look())
    assert now is NOW
    if not (yield from ask("go on?", name="web")):
        return "declined"
    yield Notice("going on")
    return "done"


def test_waits_are_answered_with_a_snapshot_and_questions_by_whoever_iterates() -> None:
    drive = driver(talk())
    seen = []
    for item in drive:
        seen.append(item)
        if isinstance(item, Question):
            assert item == Question("go on?", "web")
            drive.answer(True)
    assert drive.result == "done"
    assert [type(item) for item in seen] == [Waiting, Snapshot, Question, Notice]


def test_a_question_that_nobody_answers_is_declined() -> None:
    drive = driver(talk())
    assert list(drive) and drive.result == "declined"


def waits(handled: list[str]) -> Procedure[str]:
    while True:
        try:
            yield Waiting(2.0, Look(), "the stack is being changed", cancellable=True)
        except Cancel:
            handled.append("cancelled")
            yield Notice("cancelling")
            return "cancelled"


@pytest.mark.parametrize("interrupted", ["sleep", "look"])
def test_ctrl_c_at_a_wait_loses_nothing(interrupted: str) -> None:
    interrupts = [KeyboardInterrupt()]

    def step(what: str, result: Any) -> Any:
        def call(_: object) -> Any:
            if what == interrupted and interrupts:
                raise interrupts.pop()
            return result

        return call

    drive = driver(waits([]), look=step("look", NOW), sleep=step("sleep", None))
    assert isinstance(next(drive), Waiting)
    with pytest.raises(KeyboardInterrupt):
        next(drive)
    assert drive.waiting is not None and drive.waiting.subject == "the stack is being changed"
    assert next(drive) is NOW
    assert isinstance(next(drive), Waiting)


def test_a_cancelled_procedure_goes_on_to_its_end() -> None:
    handled: list[str] = []
    drive = driver(waits(handled))
    next(drive)
    drive.cancel()
    assert [type(item) for item in drive] == [Notice]
    assert handled == ["cancelled"] and drive.result == "cancelled"


def test_a_detached_procedure_says_what_is_left_running() -> None:
    drive = driver(waits([]))
    next(drive)
    with pytest.raises(Detached, match="the stack is being changed") as caught:
        drive.detach()
    assert caught.value.hint is not None and "run the same command again" in caught.value.hint


def test_closing_runs_what_a_procedure_cleans_up() -> None:
    cleaned: list[str] = []

    def procedure() -> Procedure[None]:
        try:
            yield Question("sure?")
        finally:
            cleaned.append("change set")

    drive = driver(procedure())
    next(drive)
    drive.close()
    assert cleaned == ["change set"]


class Countdown:
    """A watch that is over after so many looks."""

    look = Look()

    def __init__(self, left: int) -> None:
        self.left = left

    @property
    def over(self) -> bool:
        return self.left == 0

    def see(self, now: Snapshot) -> tuple["Countdown", tuple[object, ...]]:
        return Countdown(self.left - 1), (f"{self.left} left",)


def test_a_watch_is_followed_until_it_is_over_and_helped_after_each_look() -> None:
    helped = []

    def act(watch: Countdown, now: Snapshot) -> list[object]:
        helped.append(watch.left)
        return [Notice("helped")] if watch.left else []

    drive = driver(follow(Countdown(3), subject="x", act=act))
    news = [item for item in drive if isinstance(item, (str, Notice))]
    assert news == ["3 left", Notice("helped"), "2 left", Notice("helped"), "1 left"]
    assert helped == [2, 1, 0] and drive.result.over


def test_ctrl_c_while_something_is_shown_is_answered_at_the_next_wait() -> None:
    drive = driver(follow(Countdown(3), subject="x"))
    while not isinstance(next(drive), str):
        pass
    assert drive.waiting is None and drive.interrupt()
    assert isinstance(next(drive), Waiting)
    with pytest.raises(KeyboardInterrupt):
        next(drive)
    assert drive.waiting is not None and drive.waiting.subject == "x"
    assert next(drive) is NOW, "it is asked once"


def test_ctrl_c_where_nothing_is_under_way_ends_the_command() -> None:
    def procedure() -> Procedure[None]:
        yield from follow(Countdown(1), subject="x")
        yield Question("sure?")

    drive = driver(procedure())
    while not isinstance(next(drive), Question):
        pass
    assert not drive.interrupt()


def test_what_is_under_way_is_known_when_the_procedure_itself_was_interrupted() -> None:
    def act(watch: Countdown, now: Snapshot) -> list[object]:
        raise KeyboardInterrupt

    drive = driver(follow(Countdown(2), subject="x", act=act))
    with pytest.raises(KeyboardInterrupt):
        for _ in drive:
            pass
    assert not drive.interrupt() and drive.subject == "x"


def test_what_needs_the_command_for_each_step_stops_half_way() -> None:
    drive = driver(follow(Countdown(3), subject="x", act=lambda watch, now: ()))
    next(drive)
    assert not drive.alone
    with pytest.raises(Detached, match="stopped half-way: x") as caught:
        drive.detach()
    assert caught.value.hint == "run the same command again to go on from there"
