"""Live Tail: lines that CloudWatch pushes, completed by pages.

A session shows at most 500 lines a second, breaks, and ends after three hours. So the pages of
FilterLogEvents are read as well, less often, and at once after a gap. A pushed line has no id; it
is recognised by its stream, times and text.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.logs.events import LogEvent, LogGroup, Notice, NoticeKind, Selection

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

MOST_GROUPS = 10  # the API's maximum per session
_MINUTE = 60_000
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds between two sessions
_MOST = 20_000  # lines that wait to be taken, such as while a pager shows the ones before
_LOOK_AGAIN = 0.2  # seconds
LASTING = 30.0  # seconds: a session that ends sooner is of little use
Key = tuple[str, str, int, int, str]


class Twins:
    """Recognises events that come twice: once pushed, once in a page.

    Equal lines are counted, so a line that was written twice stays two lines. Events are forgotten
    by ingestion time, because a line's own time may be any.
    """

    def __init__(self, look_back: int) -> None:
        self._kept = look_back + 5 * _MINUTE
        self._minutes: dict[int, tuple[Counter[Key], Counter[Key]]] = {}

    def pushed(self, event: LogEvent) -> bool:
        """Return whether a pushed event is new: no page has contained it."""
        return self._new(event, mine=0)

    def pulled(self, event: LogEvent) -> bool:
        """Return whether an event of a page is new: it was not pushed."""
        return self._new(event, mine=1)

    def _new(self, event: LogEvent, *, mine: int) -> bool:
        minute = event.ingested // _MINUTE
        if minute not in self._minutes:
            self._forget(minute)
        counts = self._minutes.setdefault(minute, (Counter(), Counter()))
        key = (event.source, event.stream, event.timestamp, event.ingested, event.message)
        other = counts[1 - mine]
        if other[key] > 0:
            other[key] -= 1
            return False
        counts[mine][key] += 1
        return True

    def _forget(self, now: int) -> None:
        last = now - self._kept // _MINUTE
        for minute in [minute for minute in self._minutes if minute < last]:
            del self._minutes[minute]


def _denied(error: Exception) -> bool:
    """Whether it will not be allowed the next time either."""
    if aws.may_pass(error) or isinstance(error, aws.Unreadable):
        return False
    return aws.fault(error) == "refused" and "SessionTimeout" not in aws.code(error)


class Live:
    """A feed of pushed lines. `arns` returns each group's ARN, and may call AWS."""

    lag = -2000  # a pushed line is not held back, not even for a clock with whole seconds

    def __init__(
        self,
        logs: "CloudWatchLogsClient",
        groups: Sequence[LogGroup],
        selection: Selection,
        *,
        arns: Callable[[], Mapping[str, str]],
        look_back: int,
        lasting: float = LASTING,
    ) -> None:
        self._lasting = lasting
        self._logs = logs
        self._groups = groups
        self._selection = selection
        self._arns = arns
        self._twins = Twins(look_back)
        self._came: deque[LogEvent | Notice] = deque()
        self._over = threading.Event()
        self._sampled = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.pushes = False

    past = True

    def begin(self, since: int, until: int | None) -> None:
        self.thread.start()

    def take(self) -> Sequence[LogEvent | Notice]:
        came = [self._came.popleft() for _ in range(len(self._came))]
        return [one for one in came if isinstance(one, Notice) or self._twins.pushed(one)]

    def sift(self, events: list[LogEvent]) -> list[LogEvent]:
        return [event for event in events if self._twins.pulled(event)]

    def end(self) -> None:
        self._over.set()

    def _run(self) -> None:
        """Sessions that break again and again come less and less often, and are said once."""
        pause = _SHORTEST_PAUSE
        while not self._over.is_set():
            begun = time.monotonic()
            try:
                for _ in self._session():
                    if time.monotonic() - begun > self._lasting:
                        pause = _SHORTEST_PAUSE
                self._gap("Live Tail's session has ended; opening the next one", pause)
            except Exception as error:
                if self._over.is_set():
                    return
                reason = str(aws.translate(error) or error)
                if _denied(error):
                    self.pushes = False
                    self._say("denied", f"Live Tail is not available: {reason}; reading pages")
                    return
                self._gap(f"Live Tail broke off ({reason}); reading what it left out", pause)
            self.pushes = False
            self._over.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _session(self) -> Iterator[None]:
        """Run one session to its end. Yields after each update."""
        arns = self._arns()
        sources = {arns[group.name]: group.source for group in self._groups if group.name in arns}
        request: dict[str, Any] = {"logGroupIdentifiers": list(sources)}
        if self._selection.pattern:
            request["logEventFilterPattern"] = self._selection.pattern
        prefix = self._selection.parameters().get("logStreamNamePrefix")
        if prefix and len(sources) == 1:
            request["logStreamNamePrefixes"] = [prefix]
        with closing(self._logs.start_live_tail(**request)["responseStream"]) as stream:
            for one in stream:
                # Lines of a session that breaks off meanwhile are in the pages.
                while len(self._came) >= _MOST and not self._over.wait(_LOOK_AGAIN):
                    pass
                if self._over.is_set():
                    return
                if "sessionStart" in one:
                    # Lines written while no session was open are in the pages.
                    self.pushes = True
                    self._came.append(Notice("reread", None, ""))
                if "sessionUpdate" in one:
                    yield
                    with aws.understood("Live Tail"):
                        self._update(one["sessionUpdate"], sources)

    def _update(self, update: Mapping[str, Any], sources: Mapping[str, str]) -> None:
        for result in update.get("sessionResults", ()):
            self._push(result, sources)
        was = self._sampled
        self._sampled = bool(update.get("sessionMetadata", {}).get("sampled"))
        if self._sampled:
            self._came.append(Notice("reread", None, ""))
        if self._sampled and not was:
            self._say("gap", "Live Tail shows a part of the lines; reading the others")

    def _push(self, result: Mapping[str, Any], sources: Mapping[str, str]) -> None:
        stream = str(result.get("logStreamName", ""))
        identifier = str(result.get("logGroupIdentifier", ""))
        # AWS identifies a group here as ACCOUNT:NAME or by its ARN.
        source = next(
            (
                source
                for arn, source in sources.items()
                if identifier == arn or arn.endswith(f":{identifier.rpartition(':')[2]}")
            ),
            None,
        )
        if source is None or not self._selection.admits(stream):
            return
        timestamp, ingested = int(result["timestamp"]), int(result["ingestionTime"])
        text = str(result.get("message", ""))
        self._came.append(LogEvent(timestamp, ingested, source, stream, "", text))

    def _gap(self, text: str, pause: float = _SHORTEST_PAUSE) -> None:
        if pause == _SHORTEST_PAUSE:
            self._say("gap", text)
        self._came.append(Notice("reread", None, ""))

    def _say(self, kind: NoticeKind, text: str) -> None:
        self._came.append(Notice(kind, None, text))
