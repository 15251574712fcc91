"""Lines and what comes beside them, in one order."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from opsctl.logs.budget import Budget
from opsctl.logs.events import LogEvent, LogGroup, Notice
from opsctl.logs.pace import Pace
from opsctl.logs.tail import Reading, Tail
from tests.opsctl.logs.simulated import EPOCH, Clock, SimulatedLogs, Stopped, Written
from tests.opsctl.snapshots import START

APP = [LogGroup("app", "app")]


class Slow:
    """Its past comes only after `seconds`."""

    lag, pushes = 7_000, False

    def __init__(self, clock: Clock, seconds: float, event: LogEvent) -> None:
        self.clock, self.seconds, self.event = clock, seconds, event
        self.given = self.ended = False

    @property
    def past(self) -> bool:
        return self.clock.at >= self.seconds

    def begin(self, since: int, until: int | None) -> None:
        pass

    def take(self) -> Sequence[LogEvent | Notice]:
        if self.given or not self.past:
            return ()
        self.given = True
        return [self.event]

    def sift(self, events: list[LogEvent]) -> list[LogEvent]:
        return events

    def end(self) -> None:
        self.ended = True


@pytest.mark.parametrize("follow", [True, False])
def test_lines_wait_for_older_lines_of_other_sources(follow: bool) -> None:
    clock = Clock(stop=60)
    at = int(EPOCH * 1000)
    lines = [Written(at - n * 1000, at - n * 1000, str(n), "s", "app", f"line {n}") for n in (5, 9)]
    feed = Slow(clock, 5.0, LogEvent(at - 7000, at - 7000, "release", "7", "r", "began"))
    pace = Pace(Budget(5.0), now=clock.now, wall=clock.wall, sleep=clock.sleep)
    reading = Reading(APP, since=START.fromtimestamp(EPOCH - 60, START.tzinfo), follow=follow)
    out: list[LogEvent] = []
    try:
        for item in Tail(
            cast(Any, SimulatedLogs(clock, lines)), reading, pace=pace, feeds=[feed]
        ).run():
            out += [] if isinstance(item, Notice) else item
    except Stopped:
        pass
    assert [one.message for one in out] == ["line 9", "began", "line 5"]
    assert not any(one.late for one in out)
    assert feed.ended


def test_a_reading_that_waits_for_the_past_of_a_feed_is_behind_by_its_own_length() -> None:
    clock = Clock(stop=3)
    at = int(EPOCH * 1000)
    feed = Slow(clock, 5.0, LogEvent(at - 7000, at - 7000, "release", "7", "r", "began"))
    pace = Pace(Budget(5.0), now=clock.now, wall=clock.wall, sleep=clock.sleep)
    reading = Reading(APP, since=START.fromtimestamp(EPOCH - 60, START.tzinfo))
    tail = Tail(cast(Any, SimulatedLogs(clock, [])), reading, pace=pace, feeds=[feed])
    with pytest.raises(Stopped):
        list(tail.run())
    assert 60 <= tail.totals.behind < 70
