import random
from datetime import timedelta
from typing import Any, cast

from opsctl.logs.audit import MINUTE, by_minute, compare
from opsctl.logs.budget import Budget
from opsctl.logs.collected import collected
from opsctl.logs.events import LogEvent, LogGroup
from opsctl.logs.pace import Pace
from tests.opsctl.logs.simulated import EPOCH, Clock, SimulatedLogs, Troubles, Written
from tests.opsctl.snapshots import START

FIRST = int(START.timestamp() * 1000)
END = START + timedelta(minutes=3)


def came(*minutes: float) -> list[LogEvent]:
    """Lines that CloudWatch took in so many minutes after the start; each is an hour old."""
    return [
        LogEvent(FIRST - 60 * MINUTE, FIRST + int(minute * MINUTE), "app", "s", str(n), "x")
        for n, minute in enumerate(minutes)
    ]


def test_lines_count_for_the_minute_in_which_they_were_taken_in_whatever_their_own_time() -> None:
    counts = by_minute([came(-0.1, 0, 0.9), came(1, 2.9, 3)], START, END)
    assert counts == {("app", FIRST): 2, ("app", FIRST + MINUTE): 1, ("app", FIRST + 2 * MINUTE): 1}


def test_equal_counts_are_a_whole_source_and_no_count_is_none() -> None:
    audit = compare("app", {("app", FIRST): 2}, {FIRST: 2.0}, START, END)
    assert (audit.minutes, audit.read, audit.counted, audit.missing) == (3, 2, 2, 0)
    assert audit.differences == ()


def test_what_is_missing_is_named_by_its_minute() -> None:
    audit = compare("app", {("app", FIRST): 2}, {FIRST: 5.0, FIRST + MINUTE: 1.0}, START, END)
    assert audit.missing == 4
    assert [(one.minute, one.missing) for one in audit.differences] == [
        (START, 3),
        (START + timedelta(minutes=1), 1),
    ]


def test_more_than_the_metric_knows_is_a_difference_and_nothing_missing() -> None:
    audit = compare("app", {("app", FIRST): 2}, {}, START, END)
    assert (audit.missing, len(audit.differences)) == (0, 1)


def test_a_reading_through_troubles_finds_every_line_that_was_counted() -> None:
    dice = random.Random(5)
    at = int(EPOCH * 1000)
    written = [
        Written(at - n * 500, at - n * 500 + dice.randrange(60_000), f"{n:05}", "s", "app", "x")
        for n in range(1000)
    ]
    clock = Clock(stop=1e6)
    troubles = Troubles(throttled=0.1, unreachable=0.05, empty_page=0.2)
    logs = SimulatedLogs(clock, written, page=50, troubles=troubles, dice=dice)
    cast(Any, logs).meta = type("Meta", (), {"region_name": "eu-central-1"})
    pace = Pace(Budget(5.0), now=clock.now, wall=clock.wall, sleep=clock.sleep)
    zone = START.tzinfo
    start, end = START.fromtimestamp(EPOCH - 600, zone), START.fromtimestamp(EPOCH, zone)
    clock.at = 120.0  # everything was taken in by now
    read = collected(cast(Any, logs), [LogGroup("app", "app")], start, end, pace=pace)
    counts = by_minute(read, start, end + timedelta(minutes=2))
    assert sum(counts.values()) == 1000
