"""Read several log groups as one stream of events: the effects around the pure follower.

An endless reading never ends because of throttling, network errors or expired credentials; a finite
one always ends. Nothing is printed here, and time, sleep, randomness, threads and the client are
arguments.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from opsctl.config.duration import format_duration
from opsctl.logs.calls import Calls
from opsctl.logs.events import LogEvent, LogGroup, Notice, NoticeKind, Selection
from opsctl.logs.feed import Feed
from opsctl.logs.follower import Bookmark, Follower
from opsctl.logs.order import Holdback
from opsctl.logs.pace import Pace, Totals
from opsctl.logs.recovery import Recovery

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

LOOK_BACK = timedelta(minutes=15)
_TICK = 0.5  # seconds between checks of the events held back
_PUSHED = 20.0  # seconds between two sweeps while lines are pushed
_LONGEST_HOLD = 10_000
_PATIENCE = 15.0  # seconds that lines wait for the past of the other feeds
_PROGRESS = 10.0  # seconds of reading without a line, before a progress notice


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read. `follow` without `until` never ends; `remember` keeps a bookmark."""

    groups: Sequence[LogGroup]
    since: datetime | timedelta
    until: datetime | None = None
    follow: bool = True
    selections: Mapping[str, Selection] = field(default_factory=dict)
    look_back: timedelta = LOOK_BACK
    resume: Mapping[str, Bookmark] = field(default_factory=dict)
    remember: bool = False

    @property
    def endless(self) -> bool:
        return self.follow and self.until is None


class Tail:
    """One reading. Iterate over `run`; `totals` and `bookmarks` say how far it is."""

    def __init__(
        self,
        logs: "CloudWatchLogsClient",
        reading: Reading,
        *,
        pace: Pace | None = None,
        renew: Callable[[], "CloudWatchLogsClient"] | None = None,
        feeds: Sequence[Feed] = (),
    ) -> None:
        self._reading = reading
        self._pace = pace or Pace()
        self.totals = Totals()
        self._calls = Calls(logs, self._pace, self.totals, renew)
        self._notices: list[Notice] = []
        self._recovery = Recovery(
            self._calls, self._pace, self.totals, self._notices.append, endless=reading.endless
        )
        self._feeds = feeds
        self._held = Holdback()
        self._followers: list[Follower] = []
        self._caught_up = False
        self._spoke = self._began = self._pace.now()

    def run(self) -> Iterator[Sequence[LogEvent] | Notice]:
        """Yield events in order, each batch to be written and flushed at once, and notices.

        With `remember`, batches may be empty.
        """
        self._calls.ask_the_time(self._reading.groups[0].name)
        self._followers = [self._follower(group) for group in self._reading.groups]
        try:
            for feed in self._feeds:
                feed.begin(min(f.since for f in self._followers), self._followers[0].until)
            while not self._pace.stopped() and (follower := self._next()):
                now = self._pace.now()
                pause = max(follower.due - now, self._pace.budget.wait(now))
                if pause > 0:
                    self._pace.sleep(max(0.001, min(pause, _TICK)))
                else:
                    self._turn(follower)
                yield from self._out()
            yield from self._end()
        finally:
            for feed in self._feeds:
                feed.end()

    def bookmarks(self) -> Mapping[str, Bookmark]:
        """Return where to continue, counting only events handed out. Call it between two items."""
        held = self._held.ids()
        return {follower.group.source: follower.bookmark(held) for follower in self._followers}

    def _follower(self, group: LogGroup) -> Follower:
        reading, now, since = self._reading, self._calls.now, self._reading.since
        until = None if reading.until is None else int(reading.until.timestamp() * 1000)
        if isinstance(since, timedelta):
            first = now - since.total_seconds() * 1000
        else:
            first = since.timestamp() * 1000
        follower = Follower(
            group,
            reading.selections.get(group.source, Selection()),
            since=max(0, int(first)),
            until=now + 60_000 if until is None and not reading.follow else until,
            look_back=int(reading.look_back.total_seconds() * 1000),
        )
        follower.remembers = reading.remember
        if group.source in reading.resume:
            follower.resume(reading.resume[group.source])
        return follower

    def _next(self) -> Follower | None:
        """Return the follower to call next: sweeps under way first, the furthest behind first."""
        waiting = [f for f in self._followers if f.state == "reading"]
        if self._reading.endless:
            waiting += [f for f in self._followers if f.state == "missing"]
        now = self._pace.now()
        return min(
            waiting,
            key=lambda f: (max(f.due, now), f.sweep is None, f.progress),
            default=None,
        )

    def _turn(self, follower: Follower) -> None:
        """Make one call for one log group."""
        sweep = follower.sweep or follower.begin(self._calls.now)
        crowded = sweep.crowded
        try:
            answer = self._calls(
                logGroupName=follower.group.name,
                **follower.selection.parameters(),
                **sweep.request(),
            )
        except Exception as error:
            alone = len(self._followers) == 1
            if not self._recovery.failed(follower, error, alone=alone):
                self._followers.remove(follower)
            return
        if answer is None:
            return
        self._take(follower, answer)
        if sweep.crowded > crowded:
            self._say("crowded", follower, "more than 10,000 events in one millisecond")
        self._recovery.check(follower)
        if follower.sweep is None:
            floor = self._pace.interval * (2 if len(self._followers) > 2 else 1)
            if any(feed.pushes for feed in self._feeds):
                floor = _PUSHED
            follower.due = max(follower.due, self._pace.now() + follower.interval(floor))

    def _take(self, follower: Follower, answer: Mapping[str, Any]) -> None:
        if follower.state == "missing":
            self._say("found", follower, f"log group {follower.group.name} exists now")
            follower.state = "reading"
        follower.answered()
        events = follower.take(answer)
        for feed in self._feeds:
            events = feed.sift(events)
        self._held.add(events, self._calls.now)

    def _say(self, kind: NoticeKind, follower: Follower, text: str) -> None:
        self._notices.append(Notice(kind, follower.group.source, text))

    def _take_feeds(self) -> None:
        events: list[LogEvent] = []
        for feed in self._feeds:
            for item in feed.take():
                if not isinstance(item, Notice):
                    events.append(item)
                    continue
                if item.kind != "reread":
                    self._notices.append(item)
                    continue
                # Lines that were not pushed are in the pages, now and as far back as an event may
                # be.
                for follower in self._followers:
                    follower.hurry()
        if events:
            self._held.add(sorted(events), self._calls.now)

    def _out(self, *, everything: bool = False) -> Iterator[Sequence[LogEvent] | Notice]:
        # Check before taking: what arrives in between is taken the next time.
        past = all(feed.past for feed in self._feeds)
        self._take_feeds()
        now = self._calls.now
        reading = [f for f in self._followers if f.state == "reading"]
        behind = [f.progress - 1 for f in reading if f.catching_up]
        upto = 1 << 62 if everything else min([now - self._hold(reading), *behind])
        if not past and not everything and self._pace.now() - self._began < _PATIENCE:
            upto = -1
        released = self._held.release(upto)
        self.totals.events += len(released)
        self.totals.late += sum([event.late for event in released])
        if upto < now:
            # Nothing before the reading's beginning is awaited.
            begun = min([f.since for f in self._followers], default=now)
            self.totals.behind = max(0, now - max(upto, begun)) / 1000
        while self._notices:
            yield self._notices.pop(0)
        if released:
            self._spoke = self._pace.now()
            oldest = self._held.oldest()
            yield released
            for follower in self._followers:
                follower.forget(oldest)
        elif self._reading.remember:
            yield ()  # an occasion to save the bookmark
        if not self._caught_up and not behind and past:
            self._caught_up = True
            yield Notice("caught-up", None, "")
        elif behind and self._pace.now() - self._spoke > _PROGRESS:
            self._spoke = self._pace.now()
            yield self._progress(min(behind))

    def _end(self) -> Iterator[Sequence[LogEvent] | Notice]:
        while not self._pace.stopped() and not all(feed.past for feed in self._feeds):
            self._pace.sleep(_TICK)
            yield from self._out()
        yield from self._out(everything=True)

    def _progress(self, read: int) -> Notice:
        left = max(0, self._calls.now - max(read, 0)) // 1000
        return Notice(
            "progress",
            None,
            f"still reading: {self.totals.calls:,} calls, {self.totals.events:,} events, "
            f"{format_duration(timedelta(seconds=left))} left to read",
        )

    def _hold(self, reading: Sequence[Follower]) -> int:
        """Return how many milliseconds to hold events back: the writers' delay and our interval."""
        lags = [feed.lag for feed in self._feeds]
        if not self._pace.hold:
            return max(lags, default=0)
        learned = max([f.lag(0.95) for f in reading], default=0) + int(self._pace.interval * 1000)
        return min(_LONGEST_HOLD, max([2_000, learned, *lags]))
