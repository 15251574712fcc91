"""Buffer log events and write them in batches to a sink, in one thread.

`put` never waits: when the buffer is full, the oldest event is dropped and counted, and the count
is logged. The thread is needed because AWS clients block.
"""

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

# PutLogEvents: the maximum of a batch in bytes, counting UTF-8 and 26 for each event.
MAX_BATCH_BYTES = 1_048_576
MAX_BATCH_EVENTS = 10_000
EVENT_OVERHEAD = 26
MAX_MESSAGE_BYTES = MAX_BATCH_BYTES - EVENT_OVERHEAD
_DAY = 24 * 60 * 60 * 1000

INTERVAL = 5.0
FLUSH_TIMEOUT = 4.0  # with the server's 25 s for requests, less than the 30 s that ECS grants
MAX_BUFFER_BYTES = 32 * MAX_BATCH_BYTES
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class LogEvent:
    """`timestamp` is in milliseconds since 1970, as in CloudWatch."""

    timestamp: int
    message: str

    @property
    def size(self) -> int:
        return len(self.message.encode("utf-8", "replace")) + EVENT_OVERHEAD


class NotWritten(Exception):
    """The sink did not accept a batch. `retry` says whether it may later."""

    def __init__(self, reason: str, *, retry: bool) -> None:
        super().__init__(reason)
        self.retry = retry


@dataclass(frozen=True, slots=True)
class Rejected:
    """How many events of an accepted batch were rejected for good, and why."""

    count: int
    reason: str


class Sink(Protocol):
    interval: float  # seconds for which events are collected before they are written

    def open(self) -> str:
        """Open the sink and return its name. Raises StartError when it can never work."""

    def write(self, batch: Sequence[LogEvent]) -> Rejected | None:
        """Write a batch. Raises NotWritten when it was not accepted."""


def event(at: float, level: str, **fields: Any) -> LogEvent:
    """Return an event of one JSON line. `at` is in seconds since 1970."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    line = {"time": moment.replace("+00:00", "Z"), "level": level, **fields}
    return LogEvent(int(at * 1000), json.dumps(line, default=str))


def cut(logged: LogEvent) -> LogEvent:
    """Return the event as CloudWatch accepts it: not empty, at most 1 MB, valid Unicode."""
    raw = logged.message.encode("utf-8", "replace")
    if len(raw) > MAX_MESSAGE_BYTES:
        mark = f" [cut: {len(raw)} bytes]"
        text = raw[: MAX_MESSAGE_BYTES - len(mark)].decode("utf-8", "ignore") + mark
        return LogEvent(logged.timestamp, text)
    return LogEvent(logged.timestamp, raw.decode() or " ")


def batches(events: Sequence[LogEvent]) -> Iterator[list[LogEvent]]:
    """Yield all events in chronological order, in batches that PutLogEvents accepts."""
    batch: list[LogEvent] = []
    total = 0
    for one in sorted(map(cut, events), key=lambda logged: logged.timestamp):
        size = one.size
        is_full = len(batch) == MAX_BATCH_EVENTS or total + size > MAX_BATCH_BYTES
        if batch and (is_full or one.timestamp - batch[0].timestamp >= _DAY):
            yield batch
            batch, total = [], 0
        batch.append(one)
        total += size
    if batch:
        yield batch


class LogStream:
    """`capacity` is in events; their size in bytes is limited, too."""

    def __init__(
        self,
        sink: Sink,
        capacity: int,
        *,
        last_resort: Callable[[Sequence[LogEvent]], object],
        now: Callable[[], float] = time.time,
        first_pause: float = _FIRST_PAUSE,
        max_bytes: int = MAX_BUFFER_BYTES,
    ) -> None:
        self._sink = sink
        self._capacity = capacity
        self._last_resort = last_resort
        self._now = now
        self._first_pause = first_pause
        self._max_bytes = max_bytes
        self._events: deque[LogEvent] = deque()
        self._bytes = 0
        self._batches: deque[list[LogEvent]] = deque()  # taken from the buffer, not yet written
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._deadline = 0.0  # of `close`, on the monotonic clock
        self._thread: threading.Thread | None = None
        self._name = ""
        self._unreported = 0
        self.dropped = 0
        self.sent = 0
        self.rejected = 0
        self.last_error: str | None = None

    def open(self) -> None:
        """Start the thread. Raises StartError when the sink can never work."""
        self._name = self._sink.open()
        self._thread = threading.Thread(target=self._run, name="logstream", daemon=True)
        self._thread.start()

    def put(self, added: LogEvent) -> None:
        with self._changed:
            self._events.append(added)
            self._bytes += len(added.message) + EVENT_OVERHEAD
            while len(self._events) > self._capacity or (
                self._bytes > self._max_bytes and len(self._events) > 1
            ):
                oldest = self._events.popleft()
                self._bytes -= len(oldest.message) + EVENT_OVERHEAD
                self.dropped += 1
                self._unreported += 1
            if self._is_due():
                self._changed.notify()

    def close(self, timeout: float = FLUSH_TIMEOUT) -> None:
        """Write what is left, for at most TIMEOUT seconds; the rest goes to the last resort."""
        self._deadline = time.monotonic() + timeout
        self._closing.set()
        with self._changed:
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout)
        left = [one for batch in tuple(self._batches) for one in batch] + self._take()
        if left:
            self._last_resort(left)

    def status(self) -> Mapping[str, Any]:
        return {
            "stream": self._name,
            "buffered": len(self._events),
            "capacity": self._capacity,
            "sent": self.sent,
            "dropped": self.dropped,
            "rejected": self.rejected,
            "last_error": self.last_error,
        }

    def _is_due(self) -> bool:
        return len(self._events) >= MAX_BATCH_EVENTS or self._bytes >= MAX_BATCH_BYTES

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._is_due() and not self._closing.is_set():
                    self._changed.wait(self._sink.interval)
            is_last = self._closing.is_set()
            self._batches.extend(batches(self._take()))
            while self._batches:
                if not self._write(self._batches[0]):
                    return
                self._batches.popleft()
            if is_last:
                return

    def _take(self) -> list[LogEvent]:
        with self._changed:
            taken = list(self._events)
            self._events.clear()
            self._bytes = 0
            lost, self._unreported = self._unreported, 0
        if lost:
            text = f"the log buffer was full: the {lost} oldest events were dropped"
            taken.append(event(self._now(), "warning", message=text, dropped=lost))
        return taken

    def _write(self, batch: Sequence[LogEvent]) -> bool:
        """Write the batch. Returns False when there is no time left."""
        pause = self._first_pause
        while True:
            try:
                rejected = self._sink.write(batch)
            except NotWritten as error:
                self.last_error = str(error)
                if not error.retry:
                    self._reject(batch)
                    return True
            except Exception as error:  # the only thread must not die
                self.last_error = f"{type(error).__name__} in the sink"
                self._reject(batch)
                return True
            else:
                self.sent += len(batch)
                if rejected is not None:
                    self._report(rejected)
                return True
            if not self._wait(random.uniform(0.5, 1.0) * pause):
                return False
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _reject(self, batch: Sequence[LogEvent]) -> None:
        self.rejected += len(batch)
        self._last_resort(batch)

    def _report(self, rejected: Rejected) -> None:
        self.sent -= rejected.count
        self.rejected += rejected.count
        self.last_error = rejected.reason
        text = f"{rejected.count} log events were rejected: {rejected.reason}"
        self.put(event(self._now(), "warning", message=text, rejected=rejected.count))

    def _wait(self, pause: float) -> bool:
        """Wait before another attempt. Returns False when `close` leaves no time for one."""
        if not self._closing.wait(pause):
            return True
        left = self._deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        return True
