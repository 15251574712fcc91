"""One look, and further ones only while seconds may tell more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from opsctl.cli import looking
from opsctl.snapshot.snapshot import Snapshot
from tests.opsctl.cause.histories import later, ranked, rolled, task
from tests.opsctl.cause.test_fleet import AWAY
from tests.opsctl.cause.test_ranking import FULL, LOOK, STEADY
from tests.opsctl.snapshots import START


def test_the_last_lines_of_a_task_that_just_ended_are_waited_for() -> None:
    dead = replace(task(code=3), stopped=START)
    early = replace(rolled(dead), at=START + timedelta(seconds=1), lines={})
    whole = replace(early, lines={dead.id: ("no such file",)})
    looks, slept = iter([early, early, whole]), list[float]()
    assert looking.until_told(lambda: next(looks), slept.append) == (early, early, whole)
    assert slept == [0.5, 1.5]
    looks, slept = iter([early, early, early]), list[float]()
    assert looking.until_told(lambda: next(looks), slept.append) == (early, early, early)


def test_what_ended_a_while_ago_and_wrote_nothing_is_not_waited_for() -> None:
    dead = replace(task(code=3), stopped=START)
    late = replace(rolled(dead), at=START + timedelta(seconds=30), lines={})
    assert looking.until_told(lambda: late, lambda seconds: pytest.fail("waited")) == (late,)


def looks_every(now: Snapshot, **changes: object) -> tuple[tuple[Snapshot, ...], list[float]]:
    """The looks at a system that changes after four seconds, and the pauses between them."""
    slept = list[float]()

    def look() -> Snapshot:
        seen = replace(now, at=later(int(sum(slept))))
        return replace(seen, **changes) if sum(slept) >= 4 else seen  # type: ignore[arg-type]  # a snapshot's own

    return looking.until_told(look, slept.append), slept


def test_an_agent_that_reconnects_is_back_before_a_cause_is_named() -> None:
    silent = replace(STEADY, instances=(FULL, AWAY), look=LOOK)
    looks, slept = looks_every(silent, instances=(FULL, replace(AWAY, connected=True)))
    assert slept == [1.0, 2.0, 3.0]
    assert not [one for one in ranked(*looks) if one.id == "agent-disconnected"]


def test_an_agent_that_stays_away_is_likely_the_cause_after_ten_seconds() -> None:
    looks, slept = looks_every(replace(STEADY, instances=(FULL, AWAY), look=LOOK))
    assert sum(slept) == 10
    [cause] = ranked(*looks)
    assert (cause.id, cause.confidence) == ("agent-disconnected", "likely")


def test_agents_that_are_all_away_are_not_waited_for() -> None:
    every = (replace(AWAY, id="i-1"), AWAY)
    _, slept = looks_every(replace(STEADY, instances=every, look=LOOK))
    assert not slept
