"""The feed of `--with events`: takes snapshots in the background and turns them into events."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from opsctl import aws
from opsctl.logs import aws_events
from opsctl.logs.events import LogEvent, Notice
from opsctl.snapshot.snapshot import Look, Part, Snapshot

EVERY = 5.0  # seconds between two snapshots
# CloudWatch and CloudFormation report an event some time after it happened.
_OVERLAP = timedelta(minutes=3)
# More than AWS reports at once: 100 service events, the tasks of an hour.
_MOST_SENT = 20_000
_PARTS: frozenset[Part] = frozenset(
    ("service", "tasks", "targets", "stack_events", "alarm_changes", "releases")
)
# Parts that are read from a time on. While one is missing, the time stays.
_SINCE: tuple[Part, ...] = ("stack_events", "alarm_changes")


class AwsEvents:
    """A feed. `look` takes a snapshot, which names what it could not read."""

    lag = int(EVERY * 1000) + 2000
    pushes = False

    def __init__(
        self,
        look: Callable[[Look], Snapshot],
        *,
        every: float = EVERY,
    ) -> None:
        self._look = look
        self._every = every
        self._came: deque[LogEvent | Notice] = deque()
        self._over = threading.Event()
        self._past = False
        self._sent: dict[str, int] = {}
        self._silent = False
        self._unread: set[str] = set()

    @property
    def past(self) -> bool:
        return self._past

    def begin(self, since: int, until: int | None) -> None:
        span = (since, until)
        threading.Thread(target=self._run, args=span, daemon=True).start()

    def take(self) -> Sequence[LogEvent | Notice]:
        return [self._came.popleft() for _ in range(len(self._came))]

    def sift(self, events: list[LogEvent]) -> list[LogEvent]:
        return events

    def end(self) -> None:
        self._over.set()

    def _run(self, since: int, until: int | None) -> None:
        before: Snapshot | None = None
        start = datetime.fromtimestamp(since / 1000, UTC)
        while not self._over.is_set():
            try:
                now = self._look(Look(_PARTS, since=start))
                events = aws_events.aws_events(before, now)
            except Exception as error:
                # Whatever it is, the lines continue without these events, and the next snapshot may
                # work.
                if not self._silent:
                    reason = aws.translate(error) or error
                    self._came.append(Notice("unreachable", None, f"events: {reason}"))
                self._silent = True
            else:
                self._silent = False
                self._tell(now, [one for one in events if _within(one, since, until)])
                before = now if now.holds("targets") else before
                if now.holds(*_SINCE):
                    start = max(start, now.at - _OVERLAP)
            self._past = True
            if until is not None:
                return
            self._over.wait(self._every)

    def _tell(self, now: Snapshot, events: Sequence[LogEvent]) -> None:
        for unread in now.unread:
            if unread.part not in self._unread:
                text = f"not readable: {unread.part}: {unread.reason}"
                self._came.append(Notice("denied", None, text))
        self._unread = {unread.part for unread in now.unread}
        new = [event for event in events if event.id not in self._sent]
        self._sent.update({event.id: event.timestamp for event in new})
        if len(self._sent) > _MOST_SENT:
            newest = sorted(self._sent.items(), key=lambda entry: entry[1])[-_MOST_SENT // 2 :]
            self._sent = dict(newest)
        self._came.extend(new)


def _within(event: LogEvent, since: int, until: int | None) -> bool:
    return since <= event.timestamp and (until is None or event.timestamp <= until)
