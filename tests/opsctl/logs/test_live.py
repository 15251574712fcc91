"""Pushed lines and pages together: each line once, whatever the push leaves out."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ConnectionClosedError
from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.logs.budget import Budget
from opsctl.logs.events import LogEvent, LogGroup, Notice, Selection
from opsctl.logs.live import Live, Twins
from opsctl.logs.pace import Pace
from opsctl.logs.tail import Reading, Tail
from tests.opsctl.logs.log_server import LogServer, Pushing
from tests.opsctl.logs.simulated import EPOCH, Clock, SimulatedLogs, Stopped, Troubles, Written
from tests.opsctl.logs.test_http import GROUP, connected, environment, event

__all__ = ["environment"]
LOOK_BACK = timedelta(minutes=4)


def line(text: str, number: int = 0) -> LogEvent:
    return LogEvent(1_000 + number, 2_000, "app", "s", "", text)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.booleans()), max_size=30))
def test_each_line_is_new_once_whoever_brings_it_first(
    lines: list[tuple[str, bool, bool]],
) -> None:
    # Every line comes in a page; some are pushed too, before or after that.
    twins, shown = Twins(60_000), Counter[str]()
    for text, was_pushed, before in lines:
        if was_pushed and before:
            shown[text] += twins.pushed(line(text))
        shown[text] += twins.pulled(line(text))
        if was_pushed and not before:
            shown[text] += twins.pushed(line(text))
    assert shown == Counter(text for text, _, _ in lines)


def test_what_was_taken_in_long_ago_is_forgotten() -> None:
    twins = Twins(60_000)
    for minute in range(100):
        twins.pushed(LogEvent(5, minute * 60_000, "app", "s", "", "x"))
    assert len(twins._minutes) < 10


class Pushed(Live):
    """Live Tail on the simulation's clock: it shows some lines, and sometimes breaks off."""

    def __init__(self, logs: SimulatedLogs, written: Sequence[Written], shown: float) -> None:
        groups = [LogGroup("app", "app")]
        super().__init__(
            cast(Any, None), groups, Selection(),
            arns=dict, look_back=int(LOOK_BACK.total_seconds() * 1000),
        )  # fmt: skip
        self.simulated, self.shown = logs, shown
        self.waiting = sorted(written, key=lambda one: one.ingested)

    def begin(self, since: int, until: int | None) -> None:
        self.pushes = True
        self.waiting = [one for one in self.waiting if one.ingested > self.simulated.clock.server]

    def take(self) -> Sequence[LogEvent | Notice]:
        now = self.simulated.clock.server
        while self.waiting and self.waiting[0].ingested <= now:
            one = self.waiting.pop(0)
            if self.simulated.dice.random() < self.shown:
                self._came.append(
                    LogEvent(one.timestamp, one.ingested, "app", one.stream, "", one.message)
                )
            elif self.simulated.dice.random() < 0.2:
                self._gap("it broke off")
        return super().take()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), shown=st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_every_line_comes_once_whatever_the_push_leaves_out(seed: int, shown: float) -> None:
    dice = random.Random(seed)
    written = []
    for number in range(400):
        timestamp = int((EPOCH + dice.uniform(-60, 300)) * 1000)
        lag = int(dice.uniform(0, 100) ** 2 * 20)  # up to 200 s, mostly little
        text = dice.choice(("same", "same", f"line {number}"))
        written.append(Written(timestamp, timestamp + lag, f"{number:05d}", "s", "app", text))
    clock = Clock(stop=700)
    troubles = Troubles(throttled=0.05, unreachable=0.03, empty_page=0.1)
    logs = SimulatedLogs(clock, written, page=50, troubles=troubles, dice=dice)
    pace = Pace(
        Budget(4.0), hold=False,
        now=clock.now, wall=clock.wall, sleep=clock.sleep, chance=dice.random,
    )  # fmt: skip
    reading = Reading([LogGroup("app", "app")], since=timedelta(minutes=2), look_back=LOOK_BACK)
    shown_lines = Counter[tuple[int, int, str]]()
    try:
        feed = Pushed(logs, written, shown)
        for item in Tail(cast(Any, logs), reading, pace=pace, feeds=[feed]).run():
            if not isinstance(item, Notice):
                shown_lines.update((one.timestamp, one.ingested, one.message) for one in item)
    except Stopped:
        pass
    expected = Counter((one.timestamp, one.ingested, one.message) for one in written)
    assert shown_lines == expected


def test_sessions_that_break_at_once_are_said_once_and_what_they_missed_is_read() -> None:
    sessions = []

    def start_live_tail(**_: Any) -> Any:
        sessions.append(1)
        raise ConnectionClosedError(endpoint_url="http://x")

    live = Live(
        cast(Any, SimpleNamespace(start_live_tail=start_live_tail)),
        [LogGroup("app", GROUP)],
        Selection(),
        arns=lambda: {GROUP: "arn"},
        look_back=900_000,
    )
    live.begin(0, None)
    time.sleep(1.5)
    live.end()
    kinds = [one.kind for one in live.take() if isinstance(one, Notice)]
    assert (len(sessions), kinds) == (2, ["gap", "reread", "reread"])


def test_what_nobody_takes_is_not_heaped_up_without_end() -> None:
    came = {"logGroupIdentifier": "arn", "logStreamName": "s", "timestamp": 1, "ingestionTime": 2}
    update = {"sessionUpdate": {"sessionResults": [{**came, "message": "x"}] * 500}}
    updates: list[int] = []

    def pushing() -> Iterator[Any]:
        while len(updates) < 200:
            updates.append(1)
            yield update

    logs = SimpleNamespace(start_live_tail=lambda **_: {"responseStream": pushing()})
    live = Live(
        cast(Any, logs),
        [LogGroup("app", GROUP)],
        Selection(),
        arns=lambda: {GROUP: "arn"},
        look_back=900_000,
    )
    live.begin(0, None)
    live.thread.join(0.3)
    waited = len(updates)
    taken = len(live.take())
    live.thread.join(0.3)
    live.end()
    assert waited < 60 and taken < 30_000
    assert len(updates) > waited, "once they are taken, it reads on"


def test_over_http_the_pushed_lines_come_at_once_and_the_others_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = time.time()
    logs = LogServer(GROUP, [event(n, start + n / 100) for n in range(-100, 350)])
    logs.pushing = Pushing(shown=2, seconds=2.5)
    end = time.monotonic() + 8
    came: dict[int, float] = {}
    counted = Counter[int]()
    notices = []
    with connected(logs, monkeypatch) as clients:
        groups = [LogGroup("app", GROUP)]
        live = Live(
            clients.logs, groups, Selection(),
            arns=lambda: {GROUP: f"arn:aws:logs:us-east-1:1:log-group:{GROUP}"},
            look_back=900_000, lasting=1.0,
        )  # fmt: skip
        pace = Pace(Budget(50.0), hold=False, stopped=lambda: time.monotonic() > end)
        reading = Reading(groups, since=timedelta(minutes=5))
        for item in Tail(clients.logs_once, reading, pace=pace, feeds=[live]).run():
            if isinstance(item, Notice):
                notices.append(item.kind)
                continue
            for one in item:
                number = int(one.message.split()[1])
                counted[number] += 1
                came.setdefault(number, time.time() - one.timestamp / 1000)
        live.thread.join(10)
    assert counted == Counter(range(-100, 350))
    assert logs.pushing.sessions > 1
    assert "gap" in notices
    lags = sorted(lag for number, lag in came.items() if number > 50)
    assert lags[len(lags) // 2] < 1.5
