"""Put events of several sources into one order: hold them back a moment, mark late ones."""

from bisect import bisect_right
from operator import itemgetter

from opsctl.logs.events import LogEvent

# Not by id: within a millisecond the server's own order is best, and sorting is stable.
_order = itemgetter(0, 1, 2, 3)
_timestamp = itemgetter(0)
_AHEAD = 60_000


class Holdback:
    """Holds events back. One more than `late_after` milliseconds behind a released one is late."""

    def __init__(self, late_after: int = 1) -> None:
        self._late_after = late_after
        self._held: list[LogEvent] = []
        self._ahead: list[LogEvent] = []  # from the future: waiting for their time would not help
        self._sorted = True
        self.released = 0  # time up to which events were released

    def __len__(self) -> int:
        return len(self._held) + len(self._ahead)

    def add(self, events: list[LogEvent], now: int) -> None:
        # A page is sorted, so its last event shows whether any event is far ahead.
        if events and events[-1].timestamp > now + _AHEAD:
            self._ahead += [event for event in events if event.timestamp > now + _AHEAD]
            events = [event for event in events if event.timestamp <= now + _AHEAD]
        self._held += events
        self._sorted = False

    def release(self, upto: int) -> list[LogEvent]:
        """Return the events up to `upto`, in order. Those before the previous release are late."""
        if not self._sorted:
            self._held.sort(key=_order)
            self._sorted = True
        cut = bisect_right(self._held, upto, key=_timestamp)
        events, self._held = self._held[:cut], self._held[cut:]
        late = bisect_right(events, self.released - self._late_after, key=_timestamp)
        if late:
            events[:late] = [event._replace(late=True) for event in events[:late]]
        if events:
            self.released = max(self.released, events[-1].timestamp)
        ahead, self._ahead = self._ahead, []
        return events + sorted(ahead, key=_order) if ahead else events

    def oldest(self) -> int | None:
        return min(map(_timestamp, self._held + self._ahead), default=None)

    def ids(self) -> set[str]:
        return {event.id for event in self._held + self._ahead}
