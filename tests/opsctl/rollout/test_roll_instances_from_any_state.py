"""Instances replaced from random states, whatever AWS, people and kill -9 do meanwhile.

`HOSTILE_EXAMPLES=2000` tries so many.
"""

import os
import random
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Driver
from opsctl.rollout import members, roll_instances
from opsctl_sandbox.cluster.failures import Failure
from tests.opsctl.rollout.fleet import Fleet
from tests.opsctl.rollout.test_roll_instances import CONFIG, NEW, OLD, same
from tests.opsctl.ssm import Killed

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "30"))
LOOKS = 4000  # far more than any roll that ends needs
PERCENTS = [(100, 200), (100, 200), (50, 100), (50, 200), (100, 150), (100, 100), (0, 100)]
REFUSED = ("cannot be replaced", "no task may be started")


def roll(fleet: Fleet, *, looks: int = LOOKS, **more: Any) -> Outcome | None:
    """Killed with -9 after so many looks, or at the call where `fleet` says so: None."""
    procedure = roll_instances.roll_instances(cast(Any, fleet), CONFIG, agreed=True, **more)
    driver = Driver(procedure, look=fleet.look, sleep=fleet.pass_time)
    began = fleet.looks
    try:
        for _ in driver:
            if fleet.looks - began > looks:
                return None
        return cast(Outcome, driver.result)
    except Killed:
        return None
    finally:
        fleet.bury(driver.close)


def scale_out(fleet: Fleet, chance: random.Random) -> None:
    fleet.resize(min(fleet.desired + chance.randint(1, 2), fleet.group.spec.maximum))


def scale_the_service(fleet: Fleet, chance: random.Random) -> None:
    fleet.scale(chance.randint(0, 8))


def drain_one(fleet: Fleet, chance: random.Random) -> None:
    fleet.drain(chance.choice(fleet.alive).id)


def silence_one(fleet: Fleet, chance: random.Random) -> None:
    fleet.silence(chance.choice(fleet.alive).id)


def fail_one(fleet: Fleet, chance: random.Random) -> None:
    fleet.fails(Failure("instance-never-joins", times=1))


def refuse_some(fleet: Fleet, chance: random.Random) -> None:
    fleet.fails(Failure("launch-refused", times=chance.randint(1, 3)))


HAPPENINGS: list[Callable[[Fleet, random.Random], None]] = [
    scale_out, scale_the_service, drain_one, silence_one, fail_one, refuse_some,
]  # fmt: skip


@pytest.mark.timeout(120 + EXAMPLES // 2)
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    chance=st.randoms(use_true_random=False),
    size=st.integers(1, 4),
    spare=st.integers(0, 3),
    least=st.booleans(),
    tasks=st.integers(0, 8),
    percents=st.sampled_from(PERCENTS),
    boots=st.sampled_from([10, 60, 300]),
    slow=st.sampled_from([0, 1, 7, 30]),
    zones=st.sampled_from(["a", "ab", "ba", "abc", "cab"]),
    drain=st.sampled_from([0, 30, 300]),
    port=st.sampled_from([0, 0, 0, 8082]),
    happens=st.lists(st.tuples(st.integers(0, 1500), st.sampled_from(HAPPENINGS)), max_size=2),
    kills=st.lists(st.tuples(st.integers(0, 14), st.sampled_from([20, 60, LOOKS])), max_size=4),
    everything=st.booleans(),
)
def test_no_request_is_lost_and_the_roll_ends(
    chance: random.Random,
    size: int,
    spare: int,
    least: bool,
    tasks: int,
    percents: tuple[int, int],
    happens: list[tuple[int, Callable[[Fleet, random.Random], None]]],
    kills: list[tuple[int, int]],
    everything: bool,
    **more: Any,
) -> None:
    """Or it is refused with the arithmetic, or stops with its cause."""
    fleet = Fleet(
        NEW,
        old=OLD,
        size=size,
        minimum=size if least else 0,
        maximum=size + spare,
        tasks=tasks,
        minimum_percent=percents[0],
        maximum_percent=percents[1],
        seed=chance.randrange(1 << 30),
        **more,
    )
    for at, happen in happens:
        fleet.later(at, partial(happen, fleet, chance))
    outcome = None
    try:
        for calls, looks in kills:
            fleet.dies_at = calls
            outcome = roll(fleet, looks=looks, everything=everything)
            fleet.pass_time(chance.choice([0, 40, 400]))
        outcome = roll(fleet, everything=everything)
    except OpsError as error:
        assert any(words in str(error) for words in REFUSED)
        begun = members.TAG in fleet.tags and not happens
        assert not begun, "what was begun goes on"
    else:
        assert outcome is not None, "it never ended"
    fleet.pass_time(300)
    assert fleet.lost == []
    if outcome == Outcome("done"):
        assert same(fleet) and fleet.tags == {}
        counts = [fleet.zones()[zone] for zone in more["zones"]]
        assert max(counts) - min(counts) <= 1, "or Auto Scaling would balance them by itself"
        assert len(fleet.alive) == fleet.desired
        assert fleet.desired == size or scale_out in [happen for _, happen in happens]
