import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from opsctl.errors import AwsError
from opsctl.logs.budget import Budget
from opsctl.logs.events import LogEvent, LogGroup, Notice, Selection
from opsctl.logs.follower import Bookmark
from opsctl.logs.pace import Pace
from opsctl.logs.tail import Reading, Tail
from tests.opsctl.logs.simulated import EPOCH, Clock, SimulatedLogs, Stopped, Troubles, Written

LOOK_BACK = timedelta(minutes=4)
RUN = 600.0  # simulated seconds of writing
# The latest event comes in 230 s after the writing; the next deep sweep begins within a minute and
# a pause, and with small pages and one call in ten refused it takes another minute.
SETTLE = 400.0
RATE = 4.0
ROUGH = Troubles(
    throttled=0.05,
    unreachable=0.03,
    refused_token=0.03,
    stuck_token=0.05,
    empty_page=0.15,
    expired=0.002,
)


def write(dice: random.Random, count: int, groups: Sequence[str], longest: float) -> list[Written]:
    """Bursts in one millisecond, slow and fast streams, some very late, some from the future."""
    written: list[Written] = []
    while len(written) < count:
        group = dice.choice(groups)
        timestamp = int((EPOCH + dice.uniform(-120, RUN)) * 1000)
        kind = dice.random()
        if kind < 0.7:
            lag = dice.uniform(0, 5)
        elif kind < 0.95:
            lag = dice.uniform(5, longest)
        else:
            lag = -dice.uniform(0, 30)
        for _ in range(dice.choice((1, 1, 1, 2, 40))):
            number = len(written)
            written.append(
                Written(
                    timestamp,
                    timestamp + int(lag * 1000),
                    f"{dice.getrandbits(64):020d}-{number}",
                    f"{group}-{number % 3}",
                    group,
                )
            )
    return written


def tail(
    logs: SimulatedLogs,
    groups: Sequence[str],
    *,
    follow: bool = True,
    resume: Mapping[str, Bookmark] | None = None,
    selection: Selection | None = None,
    since: timedelta = timedelta(seconds=100),
    hold: bool = True,
) -> Tail:
    clock = logs.clock
    pace = Pace(
        Budget(RATE), hold=hold, now=clock.now, wall=clock.wall, sleep=clock.sleep,
        chance=logs.dice.random,
    )  # fmt: skip
    reading = Reading(
        [LogGroup(group, group) for group in groups],
        since=since,
        follow=follow,
        look_back=LOOK_BACK,
        resume=resume or {},
        remember=True,
        selections={group: selection or Selection() for group in groups},
    )
    return Tail(cast(Any, logs), reading, pace=pace, renew=lambda: cast(Any, logs))


def collect(reading: Tail) -> tuple[list[LogEvent], list[Notice], Mapping[str, Bookmark]]:
    """What came out until the clock stopped, and the bookmarks behind the last of it."""
    events: list[LogEvent] = []
    notices: list[Notice] = []
    bookmarks: Mapping[str, Bookmark] = {}
    try:
        for item in reading.run():
            if isinstance(item, Notice):
                notices.append(item)
            else:
                events += item
            bookmarks = reading.bookmarks()
    except Stopped:
        pass
    return events, notices, bookmarks


def owed(written: Sequence[Written], since: float) -> set[str]:
    # A `Date` header is cut to the second, and an answer takes its time.
    longest = int(LOOK_BACK.total_seconds() * 1000) - 2_500
    first = int((EPOCH + since) * 1000)
    return {
        event.id
        for event in written
        if event.timestamp >= first and event.ingested - event.timestamp <= longest
    }


@settings(max_examples=25, deadline=None)
@example(seed=8290, groups=("app", "stdout", "ecs", "agent"), page=50, skew=0.0)
@given(
    seed=st.integers(0, 2**32),
    groups=st.sampled_from([("app",), ("app", "stdout"), ("app", "stdout", "ecs", "agent")]),
    page=st.sampled_from([50, 300, 2000]),
    skew=st.sampled_from([-300.0, -2.0, 0.0, 2.0, 300.0]),
)
def test_every_event_inside_the_look_back_comes_once_whatever_goes_wrong(
    seed: int, groups: tuple[str, ...], page: int, skew: float
) -> None:
    dice = random.Random(seed)
    written = write(dice, 1500, groups, longest=230)
    clock = Clock(skew, stop=RUN + SETTLE)
    logs = SimulatedLogs(clock, written, page=page, troubles=ROUGH, dice=dice)
    events, _, _ = collect(tail(logs, groups))
    counted = Counter(event.id for event in events)
    assert set(counted.values()) <= {1}
    assert owed(written, since=-95) - set(counted) == set()
    in_order = [e.timestamp for e in events if not e.late]
    assert in_order == sorted(in_order)
    # A bucket of RATE, filled RATE times a second, never gives more than that.
    for first, after in zip(logs.calls, logs.calls[int(RATE * 11) :], strict=False):
        assert after - first >= 9.9


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), page=st.sampled_from([50, 2000]))
def test_a_reading_killed_at_any_moment_goes_on_from_its_bookmark(seed: int, page: int) -> None:
    dice = random.Random(seed)
    written = write(dice, 1000, ("app", "stdout"), longest=200)
    clock = Clock()
    logs = SimulatedLogs(clock, written, page=page, troubles=ROUGH, dice=dice)
    events: list[LogEvent] = []
    bookmarks: Mapping[str, Bookmark] = {}
    while clock.stop < RUN + SETTLE or clock.stop == float("inf"):
        # The last of these runs lasts long enough for a deep sweep to come through.
        clock.stop = min(RUN + SETTLE, clock.at + dice.uniform(0.1, 120))
        if clock.stop > RUN:
            clock.stop = RUN + SETTLE
        more, _, kept = collect(tail(logs, ("app", "stdout"), resume=bookmarks))
        events += more
        bookmarks = {**bookmarks, **kept}
        clock.at += dice.uniform(0, 60) if clock.stop < RUN else 0
    counted = Counter(event.id for event in events)
    assert set(counted.values()) <= {1}
    if bookmarks:
        first = min((event.timestamp for event in events), default=0) / 1000 - EPOCH
        assert owed(written, since=max(first, 21)) - set(counted) == set()


def test_a_pause_of_twenty_minutes_loses_nothing() -> None:
    dice = random.Random(7)
    clock = Clock(stop=RUN + 1200 + SETTLE)
    written = write(dice, 1500, ("app",), longest=200)
    logs = SimulatedLogs(clock, written, dice=dice)
    slept = False

    def sleep(seconds: float) -> None:
        nonlocal slept
        if clock.at > 300 and not slept:
            slept, seconds = True, 1200.0
        clock.sleep(seconds)

    reading = tail(logs, ("app",))
    reading._pace = replace(reading._pace, sleep=sleep)
    events, _, _ = collect(reading)
    assert slept
    assert owed(written, since=-95) <= {event.id for event in events}


def test_without_follow_it_reads_everything_once_and_ends() -> None:
    dice = random.Random(3)
    written = write(dice, 2000, ("app", "stdout"), longest=20)
    clock = Clock(at=RUN + 60)
    logs = SimulatedLogs(clock, written, page=100, troubles=ROUGH, dice=dice)
    events, notices, _ = collect(
        tail(logs, ("app", "stdout"), follow=False, since=timedelta(hours=1))
    )
    assert sorted(e.id for e in events) == sorted(w.id for w in written)
    assert "caught-up" in {notice.kind for notice in notices}
    assert not any(event.late for event in events)
    assert clock.at < RUN + 60 + 600


def test_a_missing_group_is_told_once_and_joins_when_it_appears() -> None:
    class Later(SimulatedLogs):
        def filter_log_events(self, **request: Any) -> dict[str, Any]:
            self.groups = frozenset({"app"} if self.clock.at < 60 else {"app", "stdout"})
            return super().filter_log_events(**request)

    now = int((EPOCH + 90) * 1000)
    clock = Clock(stop=300)
    logs = Later(clock, [Written(now, now + 500, "1", "s", "stdout")])
    events, notices, _ = collect(tail(logs, ("app", "stdout")))
    assert [event.id for event in events] == ["1"]
    assert [n.kind for n in notices if n.source == "stdout"] == ["missing", "found"]


def test_a_pattern_that_the_server_refuses_is_an_error_with_a_hint() -> None:
    class Strict(SimulatedLogs):
        def filter_log_events(self, **request: Any) -> dict[str, Any]:
            if "filterPattern" in request:
                self._refuse("InvalidParameterException", 400)
            return super().filter_log_events(**request)

    logs = Strict(Clock(), [])
    with pytest.raises(AwsError, match="filter pattern") as caught:
        collect(tail(logs, ("app",), selection=Selection(pattern="{ $.x")))
    assert caught.value.hint is not None


def test_a_page_cut_off_without_a_token_is_read_on() -> None:
    class NeverPages(SimulatedLogs):
        def _answer(self, events: Sequence[Written], token: str | None) -> dict[str, Any]:
            return super()._answer(events, None)

    base = int(EPOCH * 1000) - 60_000
    written = [Written(base + n // 7, base + 9_000, f"{n:06d}", "s", "app") for n in range(25_000)]
    logs = NeverPages(Clock(), written)
    events, _, _ = collect(tail(logs, ("app",), follow=False))
    assert [event.id for event in events] == [event.id for event in written]


def test_throttling_halves_the_rate_and_never_ends_the_reading() -> None:
    clock = Clock(stop=120)
    logs = SimulatedLogs(clock, [], troubles=Troubles(throttled=1.0))
    reading = tail(logs, ("app",))
    _, notices, _ = collect(reading)
    assert [notice.kind for notice in notices if notice.kind == "throttled"] == ["throttled"]
    assert reading.totals.throttled == len(logs.calls) - 1
    assert len(logs.calls) < 40


def test_the_ids_kept_are_those_of_the_look_back() -> None:
    base = int(EPOCH * 1000)
    written = [Written(base + n * 100, base + n * 100, f"{n}", "s", "app") for n in range(18_000)]
    clock = Clock(stop=1800)
    reading = tail(SimulatedLogs(clock, written, page=2000), ("app",))
    events, _, _ = collect(reading)
    assert len(events) > 17_000
    kept = sum(len(follower.seen) for follower in reading._followers)
    # Four minutes of look-back, a minute between deep sweeps, a minute of bucket, some held.
    assert kept < 10 * 60 * 6.5


class Denying(SimulatedLogs):
    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        if request["logGroupName"] == "agent":
            self._refuse("AccessDeniedException", 400)
        return super().filter_log_events(**request)


def test_a_group_that_may_not_be_read_is_left_out() -> None:
    now = int((EPOCH - 10) * 1000)
    logs = Denying(Clock(), [Written(now, now + 500, "1", "s", "app")])
    events, notices, _ = collect(tail(logs, ("app", "agent"), follow=False))
    assert [event.id for event in events] == ["1"]
    assert [(n.kind, n.source) for n in notices if n.source] == [("denied", "agent")]


def test_when_no_group_may_be_read_that_is_an_error() -> None:
    with pytest.raises(AwsError, match="AccessDeniedException"):
        collect(tail(Denying(Clock(), []), ("agent",)))


def test_credentials_that_stay_expired_are_an_error() -> None:
    clock = Clock(stop=600)
    logs = SimulatedLogs(clock, [], troubles=Troubles(expired=1.0))
    with pytest.raises(AwsError) as caught:
        collect(tail(logs, ("app",)))
    assert "aws sso login" in str(caught.value.hint)
    assert clock.at < 60


def test_more_events_in_one_millisecond_than_a_page_holds_are_told() -> None:
    class NeverPages(SimulatedLogs):
        def _answer(self, events: Sequence[Written], token: str | None) -> dict[str, Any]:
            return super()._answer(events, None)

    base = int(EPOCH * 1000) - 60_000
    written = [Written(base, base + 9_000, f"{n:06d}", "s", "app") for n in range(10_001)]
    later = Written(base + 5, base + 9_000, "later", "s", "app")
    logs = NeverPages(Clock(), [*written, later])
    events, notices, _ = collect(tail(logs, ("app",), follow=False))
    assert events[-1].id == "later"
    assert "crowded" in [notice.kind for notice in notices]
