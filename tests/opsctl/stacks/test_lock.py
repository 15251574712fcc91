"""The lock of a stack: one command at a time, whoever is killed, and whatever SSM refuses."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.errors import Busy, OpsError
from opsctl.procedure import Notice
from opsctl.snapshot import locks
from opsctl.stacks import lock
from tests.opsctl.snapshots import START, Driven
from tests.opsctl.ssm import Hooked, Killed, Ssm, Turns, Writer, refused


def take(ssm: Any, name: str = "ann", **options: Any) -> lock.Held:
    gone = options.pop("gone", None)
    clients = cast(Any, Writer(ssm, name, gone=gone))
    driven = Driven(lock.take(clients, "ecs", "web-ecs", now=ssm.now, **options))
    assert isinstance(driven.result, lock.Held)
    return driven.result


def newest(ssm: Ssm) -> locks.Lock:
    return locks.read(cast(Any, ssm), "web", "web-ecs")[-1]


def test_the_first_lock_is_number_one_and_says_who_and_why() -> None:
    ssm = Ssm()
    with take(ssm):
        kept = json.loads(ssm.values["/opsctl/web/locks/web-ecs/000001"])
        assert kept["who"].endswith("/ann") and kept["host"] == "laptop"
        assert kept["command"] == "update-tasks"
        assert newest(ssm).held(START)
    assert newest(ssm).closed


def test_a_second_command_is_told_who_holds_it() -> None:
    ssm = Ssm()
    with take(ssm), pytest.raises(Busy, match="locked by ann@laptop since 12:00 UTC: update-tasks"):
        take(ssm, "bob")


def test_the_next_lock_has_the_next_number_and_old_ones_go() -> None:
    ssm = Ssm()
    for _ in range(12):
        with take(ssm):
            pass
    assert newest(ssm).number == 12
    assert len(ssm.values) < 12


def test_a_renewed_lock_outlives_its_first_end() -> None:
    ssm = Ssm()
    with take(ssm) as held:
        for _ in range(12):
            ssm.time += timedelta(minutes=5)
            held.renew()
        assert newest(ssm).held(ssm.time)
        ssm.time += timedelta(minutes=12)
        assert newest(ssm).expired(ssm.time)


def test_a_lock_that_nobody_renews_names_the_command_that_removes_it() -> None:
    ssm = Ssm()
    take(ssm)
    ssm.time += timedelta(minutes=12)
    with pytest.raises(OpsError, match="its holder seems to be gone") as caught:
        lock.require_free(cast(Any, Writer(ssm, "bob")), newest(ssm), ssm.time)
    assert caught.value.hint is not None and "opsctl unlock web-ecs" in caught.value.hint


def test_a_lock_may_be_a_minute_past_its_end_because_clocks_differ() -> None:
    ssm = Ssm()
    take(ssm)
    bob = cast(Any, Writer(ssm, "bob"))
    ssm.time += timedelta(minutes=10, seconds=50)
    lock.require_free(bob, newest(ssm), ssm.time)
    assert newest(ssm).held(ssm.time) and not newest(ssm).held(ssm.time + timedelta(seconds=20))


def test_a_number_that_others_used_and_deleted_during_a_long_silence_is_given_back() -> None:
    ssm, puts = Ssm(), list[str]()

    def silence(operation: str) -> None:
        if operation != "put_parameter" or puts:
            return
        puts.append(operation)
        for number in range(8):  # the first ones are deleted again
            with take(ssm, f"w{number}"):
                ssm.time += timedelta(minutes=1)
        take(ssm, "carol")

    with pytest.raises(Busy, match="locked by carol@laptop"):
        take(cast(Any, Hooked(ssm, silence)), "bob")
    assert newest(ssm).who.endswith("/carol")


def test_the_lock_of_a_killed_command_on_this_machine_does_not_block() -> None:
    ssm = Ssm()
    take(ssm)
    with take(ssm, "bob", gone=lambda process: process == "ann"):
        assert newest(ssm).who.endswith("/bob")


def test_a_lock_that_is_taken_over_ends_for_its_first_holder_too() -> None:
    ssm = Ssm()
    first = take(ssm)
    with take(ssm, "bob", over=newest(ssm).number):
        with first:
            pass
        assert newest(ssm).who.endswith("/bob") and not newest(ssm).closed


def test_only_the_lock_that_was_agreed_to_is_taken_over() -> None:
    ssm = Ssm()
    with take(ssm):
        agreed = newest(ssm).number
    with take(ssm, "carol"), pytest.raises(Busy, match="locked by carol@laptop"):
        take(ssm, "bob", over=agreed)
    with take(ssm, "carol"), pytest.raises(Busy, match="locked by carol@laptop"):
        take(ssm, "bob", over=0)


def test_an_answer_that_was_lost_is_not_taken_for_somebody_else() -> None:
    ssm = Ssm()
    put = ssm.put_parameter

    def twice(**parameters: Any) -> Any:
        put(**parameters)
        return put(**parameters)

    ssm.put_parameter = twice  # type: ignore[method-assign]  # our fake
    with take(ssm):
        assert newest(ssm).number == 1


def test_names_that_were_deleted_just_now_are_passed_over() -> None:
    ssm = Ssm()
    for _ in range(2):
        with take(ssm):
            pass
    ssm.delete_parameters(Names=list(ssm.values))
    with take(ssm):
        assert newest(ssm).number == 3


@pytest.mark.parametrize("code", ["AccessDeniedException", "ParameterLimitExceeded"])
def test_without_permission_for_locks_the_command_warns_and_goes_on(code: str) -> None:
    ssm = Ssm()

    def refuse(operation: str) -> None:
        if operation == "PutParameter":
            raise refused(code)

    ssm.before = refuse
    clients = cast(Any, Writer(ssm))
    driven = Driven(lock.take(clients, "ecs", "web-ecs", now=ssm.now))
    [notice] = driven.of(Notice)
    assert notice.warning and "is not locked against others" in notice.text
    with driven.result:
        driven.result.renew()


def test_a_lock_that_cannot_be_closed_is_named_with_its_end_and_the_command() -> None:
    ssm = Ssm()

    def refuse(operation: str) -> None:
        if operation == "PutParameter":
            raise refused("AccessDeniedException")

    clients = cast(Any, Writer(ssm))
    with Driven(lock.take(clients, "ecs", "web-ecs", now=ssm.now)).result:
        ssm.before = refuse
    [text] = clients.left
    assert "until 12:10 UTC; to remove it: opsctl unlock web-ecs" in text


@pytest.mark.parametrize("made", [True, False])
def test_a_lock_whose_taking_is_ended_is_given_back(made: bool) -> None:
    ssm = Ssm()

    def interrupt(operation: str) -> None:
        # Ctrl-C while the lock is made, and while it is looked at after that.
        if operation == "PutParameter" and not made or ssm.values:
            ssm.before = lambda operation: None
            raise KeyboardInterrupt

    ssm.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        take(ssm)
    assert not [one for one in locks.read(cast(Any, ssm), "web", "web-ecs") if not one.closed]
    with take(ssm):
        assert newest(ssm).held(START)


def test_a_command_that_is_ended_while_old_locks_are_deleted_holds_none() -> None:
    ssm = Ssm()
    for _ in range(6):  # more than are kept
        with take(ssm):
            pass

    def interrupt(operation: str) -> None:
        if operation == "DeleteParameters":
            ssm.before = lambda operation: None
            raise KeyboardInterrupt

    ssm.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        take(ssm)
    assert newest(ssm).closed


def test_while_a_procedure_is_driven_its_lock_is_renewed() -> None:
    ssm = Ssm()

    def work() -> Any:
        for _ in range(30):
            ssm.time += timedelta(minutes=2)
            yield Notice("a step")
        return "done"

    with take(ssm) as held:
        assert Driven(held.renewed(work())).result == "done"
        assert newest(ssm).held(ssm.time)


@settings(max_examples=150, deadline=None)
@given(
    order=st.lists(st.integers(0, 2), max_size=40),
    kill=st.dictionaries(st.integers(0, 2), st.integers(1, 12), max_size=2),
)
def test_no_two_ever_hold_it_at_once_in_whatever_order_they_come(
    order: list[int], kill: dict[int, int]
) -> None:
    ssm, inside = Ssm(), set[int]()
    worst: list[set[int]] = []

    def writer(number: int) -> Callable[[Callable[[str], None]], str]:
        def work(hook: Callable[[str], None]) -> str:
            try:
                held = take(cast(Any, Hooked(ssm, hook)), f"w{number}")
            except Busy:
                return "busy"
            inside.add(number)
            worst.append(set(inside))
            hook("working")
            inside.discard(number)
            with held:
                return "done"

        return work

    results = Turns(order, kill).run(*(writer(number) for number in range(3)))
    assert all(len(one) == 1 for one in worst), worst
    assert all(one in ("busy", "done") or isinstance(one, Killed) for one in results.values())
