"""Removing a lock: whose it is and how the stack stands first, then the question."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from opsctl.errors import ConfigError
from opsctl.procedure import Notice
from opsctl.snapshot import locks
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import unlock
from tests.opsctl.snapshots import START, Driven, stack, stacks
from tests.opsctl.ssm import Ssm, Writer

HELD = Lock("web-ecs", 7, who="a/bob", host="ci", process="p", until=START)


def now(lock: Lock | None, *, status: str = "UPDATE_COMPLETE", minutes: int = 30) -> Snapshot:
    kept: dict[Any, Lock] = {"ecs": lock} if lock else {}
    at = START + timedelta(minutes=minutes)
    return replace(stacks(stack("ecs", status)), at=at, locks=kept)


def run(ssm: Ssm, look: Snapshot, *answers: bool, name: str = "web-ecs") -> Driven:
    return Driven(unlock.unlock(cast(Any, Writer(ssm)), name), [look], answers)


def closed(ssm: Ssm) -> bool:
    return locks.closing("web", "web-ecs", 7) in ssm.values


@pytest.mark.parametrize("name", ["web-ecs", "ecs"])
def test_after_a_look_and_a_yes_it_is_removed(name: str) -> None:
    ssm = Ssm()
    driven = run(ssm, now(HELD), True, name=name)
    assert driven.result.kind == "removed" and closed(ssm)
    assert driven.of(StackState) and "bob@ci" in driven.questions[0].text


def test_after_a_no_it_stays() -> None:
    ssm = Ssm()
    assert run(ssm, now(HELD), False).result.kind == "cancelled" and not closed(ssm)


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (now(HELD, status="UPDATE_IN_PROGRESS"), "it is being changed right now"),
        (now(HELD, minutes=0), "may still be working"),
    ],
)
def test_removing_a_lock_that_may_be_in_use_is_warned_about(look: Snapshot, words: str) -> None:
    driven = run(Ssm(), look, False)
    assert [one for one in driven.of(Notice) if one.warning and words in one.text]


@pytest.mark.parametrize("lock", [None, replace(HELD, closed=True)])
def test_without_a_lock_there_is_nothing_to_remove(lock: Lock | None) -> None:
    driven = run(Ssm(), now(lock))
    assert driven.result.kind == "no-changes" and driven.questions == []


def test_an_unknown_lock_is_refused_with_a_list_of_the_locks() -> None:
    with pytest.raises(ConfigError, match="is not a stack of this system") as caught:
        run(Ssm(), now(HELD), name="other-ecs")
    assert "opsctl unlock web-ecs" in (caught.value.hint or "")
