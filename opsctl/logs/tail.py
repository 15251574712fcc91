"""Read several log groups as one stream of events: the effects around the pure follower.

It never ends because of throttling, a broken network or expired credentials. Nothing is printed
here, and time, sleep, chance and the client are arguments.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.errors import AwsError, OpsError
from opsctl.logs.budget import Budget
from opsctl.logs.clock import ServerClock
from opsctl.logs.events import LogEvent, LogGroup, Notice, Selection
from opsctl.logs.follower import Bookmark, Follower
from opsctl.logs.order import Holdback

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

LOOK_BACK = timedelta(minutes=15)
_TICK = 0.5  # seconds between looks at what is held back
_MISSING_AGAIN = 10.0
_LONGEST_BACKOFF = 20.0
_LONGEST_HOLD = 10_000
_RENEWALS = 3
_FIRST_TRIES = 5


@dataclass(frozen=True, slots=True)
class Pace:
    """Everything that time, chance and quota have to do with."""

    budget: Budget = field(default_factory=lambda: Budget(5.0))
    interval: float = 1.0  # seconds between two sweeps of a busy group
    hold: bool = True
    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    stopped: Callable[[], bool] = lambda: False  # asked between two calls


@dataclass(slots=True)
class Totals:
    events: int = 0
    late: int = 0
    calls: int = 0
    throttled: int = 0
    behind: float = 0.0  # seconds between the server's clock and the newest complete sweep


class Tail:
    """One reading. Iterate `run`; `totals` and `bookmarks` tell where it stands."""

    def __init__(
        self,
        logs: "CloudWatchLogsClient",
        groups: Sequence[LogGroup],
        *,
        since: datetime | timedelta,
        until: datetime | None = None,
        follow: bool = True,
        selections: Mapping[str, Selection] | None = None,
        look_back: timedelta = LOOK_BACK,
        pace: Pace | None = None,
        renew: Callable[[], "CloudWatchLogsClient"] | None = None,
        resume: Mapping[str, Bookmark] | None = None,
    ) -> None:
        self._logs = logs
        self._groups = groups
        self._since = since
        self._until = until
        self._follow = follow and until is None
        self._selections = selections or {}
        self._look_back = look_back
        self._pace = pace or Pace()
        self._renew = renew
        self._resume = resume or {}
        self._clock = ServerClock(self._pace.wall(), self._pace.now())
        self._held = Holdback()
        self._followers: list[Follower] = []
        self._notices: list[Notice] = []
        self._caught_up = False
        self.totals = Totals()

    def run(self) -> Iterator[Sequence[LogEvent] | Notice]:
        """Releases in order, each to be written and flushed at once, and notices in between."""
        self._ask_the_time()
        self._followers = [self._follower(group) for group in self._groups]
        while not self._pace.stopped() and (follower := self._next()):
            now = self._pace.now()
            pause = max(follower.due - now, self._pace.budget.wait(now))
            if pause > 0:
                self._pace.sleep(max(0.001, min(pause, _TICK)))
            else:
                self._turn(follower)
            yield from self._out()
        yield from self._out()

    def bookmarks(self) -> Mapping[str, Bookmark]:
        """Where to go on, counting only what has been handed out. Take it between two items."""
        held = self._held.ids()
        return {follower.group.source: follower.bookmark(held) for follower in self._followers}

    def _follower(self, group: LogGroup) -> Follower:
        now = self._clock.now(self._pace.now())
        since = self._since
        until = None if self._until is None else int(self._until.timestamp() * 1000)
        follower = Follower(
            group,
            self._selections.get(group.source, Selection()),
            since=int(
                now - since.total_seconds() * 1000
                if isinstance(since, timedelta)
                else since.timestamp() * 1000
            ),
            until=now + 60_000 if until is None and not self._follow else until,
            look_back=int(self._look_back.total_seconds() * 1000),
        )
        if group.source in self._resume:
            follower.resume(self._resume[group.source])
        return follower

    def _next(self) -> Follower | None:
        """A sweep under way before a new one, and of those the one furthest behind."""
        waiting = [f for f in self._followers if f.state == "reading"]
        if self._follow:
            waiting += [f for f in self._followers if f.state == "missing"]
        now = self._pace.now()
        return min(
            waiting,
            key=lambda f: (max(f.due, now), f.sweep is None, f.progress),
            default=None,
        )

    def _turn(self, follower: Follower) -> None:
        """One call for one log group."""
        sweep = follower.sweep or follower.begin(self._clock.now(self._pace.now()))
        group = follower.group.name
        crowded = sweep.crowded
        try:
            answer = self._call(
                logGroupName=group, **follower.selection.parameters(), **sweep.request()
            )
        except Exception as error:
            self._failed(follower, error)
            return
        if follower.state == "missing":
            self._notice("found", follower, f"log group {group} exists now")
            follower.state = "reading"
        if follower.failures:
            follower.failures = 0
        self._held.add(follower.take(answer), self._clock.now(self._pace.now()))
        if sweep.crowded > crowded:
            self._notice("crowded", follower, "more than 10,000 events in one millisecond")
        if follower.sweep is None:
            floor = self._pace.interval * (2 if len(self._followers) > 2 else 1)
            follower.due = self._pace.now() + follower.interval(floor)

    def _call(self, **parameters: Any) -> Mapping[str, Any]:
        self._pace.budget.spend()
        self.totals.calls += 1
        try:
            # `interleaved` is always true on AWS; older endpoints and emulators still read it.
            answer = self._logs.filter_log_events(interleaved=True, **parameters)
        except Exception as error:
            response = getattr(error, "response", None) or {}
            self._learn(response)
            raise
        self._learn(answer)
        self._pace.budget.answered()
        return answer

    def _learn(self, answer: Mapping[str, Any]) -> None:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        self._clock.learn(headers, self._pace.now())

    def _ask_the_time(self) -> None:
        """First small calls, whatever they answer: every answer carries the server's date."""
        now = self._clock.now(self._pace.now())
        group = self._groups[0].name
        for attempt in range(_FIRST_TRIES):
            try:
                self._call(logGroupName=group, startTime=now, endTime=now, limit=1)
            except Exception as error:
                # Nobody there at all is the user's to know; anything else is dealt with in turn.
                if aws.fault(error) in (None, "nobody"):
                    raise
            if self._clock.learned:
                return
            self._pace.sleep(attempt * self._pace.chance())

    def _failed(self, follower: Follower, error: Exception) -> None:
        """Arrange for the same page to be asked again, or raise what no retry can mend."""
        fault, code = aws.fault(error), aws.code(error)
        if fault == "expired" and self._renew is not None and follower.failures < _RENEWALS:
            self._logs = self._renew()
            self._notice("renewed", follower, "the credentials had expired and were renewed")
            self._back_off(follower)
        elif fault == "throttled":
            self.totals.throttled += 1
            self._pace.budget.throttled()
            self._back_off(follower)
            if self.totals.throttled == 1:
                self._notice("throttled", None, "CloudWatch throttles; reading slower")
        elif fault in ("unreachable", "nobody"):
            if not follower.failures:
                self._notice("unreachable", follower, f"no answer, trying again: {error}")
            self._back_off(follower)
        elif code == "ResourceNotFoundException":
            self._is_missing(follower)
        elif code.startswith("AccessDenied") and len(self._followers) > 1:
            self._notice("denied", follower, aws.message(error))
            self._followers.remove(follower)
        elif code == "InvalidParameterException" and follower.sweep and follower.sweep.token:
            follower.sweep.restart()
        else:
            raise self._refusal(follower, error) from error

    def _refusal(self, follower: Follower, error: Exception) -> OpsError | Exception:
        if aws.code(error) == "InvalidParameterException" and follower.selection.pattern:
            return AwsError(
                f"CloudWatch does not accept this filter pattern: {aws.message(error)}",
                hint="quote a phrase: --filter '\"connection refused\"'",
                operation="FilterLogEvents",
                code=aws.code(error),
            )
        return aws.translate(error) or error

    def _is_missing(self, follower: Follower) -> None:
        if follower.state != "missing":
            self._notice("missing", follower, f"there is no log group {follower.group.name}")
        follower.state = "missing"
        follower.due = self._pace.now() + _MISSING_AGAIN

    def _back_off(self, follower: Follower) -> None:
        """Full jitter: several tails of one account must not come back together."""
        follower.failures += 1
        longest = min(_LONGEST_BACKOFF, 0.5 * 2 ** min(follower.failures, 10))
        follower.due = self._pace.now() + self._pace.chance() * longest

    def _notice(self, kind: Any, follower: Follower | None, text: str) -> None:
        self._notices.append(Notice(kind, follower.group.source if follower else None, text))

    def _out(self) -> Iterator[Sequence[LogEvent] | Notice]:
        now = self._clock.now(self._pace.now())
        reading = [f for f in self._followers if f.state == "reading"]
        behind = [f.progress - 1 for f in reading if f.catching_up]
        if self._pace.stopped() or (not reading and not self._follow):
            upto = 1 << 62
        else:
            upto = min([now - self._hold(reading), *behind])
        released = self._held.release(upto)
        self.totals.events += len(released)
        self.totals.late += sum(event.late for event in released)
        if upto < now:
            self.totals.behind = (now - upto) / 1000
        while self._notices:
            yield self._notices.pop(0)
        if released:
            oldest = self._held.oldest()
            yield released
            for follower in self._followers:
                follower.forget(oldest)
        if not self._caught_up and not behind:
            self._caught_up = True
            yield Notice("caught-up", None, "")

    def _hold(self, reading: Sequence[Follower]) -> int:
        """As long as writers batch and we wait between looks: then the order comes out right."""
        if not self._pace.hold:
            return 0
        learned = max((f.lag(0.95) for f in reading), default=0)
        return min(_LONGEST_HOLD, max(2_000, learned + int(self._pace.interval * 1000)))
