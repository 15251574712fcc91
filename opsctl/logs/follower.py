"""The state of one log group: completed sweeps, seen ids, learned windows. Pure.

Overlapping windows by the server's clock lose nothing inside the look-back; remembered ids above a
floor prevent repetition. The start never depends on the newest event: a fast stream says nothing
about a slow one.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from opsctl.logs import page
from opsctl.logs.events import LogEvent, LogGroup, Selection
from opsctl.logs.seen import Seen
from opsctl.logs.sweep import MINUTE, Sweep

DEEP_EVERY = MINUTE
_AHEAD = MINUTE  # because writers' clocks differ
_FURTHEST_AHEAD = 120 * MINUTE  # PutLogEvents accepts events up to two hours in the future
_IDLE = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where to continue later without losing or repeating events: see `Follower.resume`."""

    floor: int
    ids: Mapping[int, Sequence[str]]


class Follower:
    def __init__(
        self,
        group: LogGroup,
        selection: Selection,
        *,
        since: int,
        until: int | None,
        look_back: int,
    ) -> None:
        self.group = group
        self.selection = selection
        self.since = since
        self.until = until
        self.look_back = look_back
        self.remembers = False  # whether a bookmark will be asked for
        self.seen = Seen()
        self.sweep: Sweep | None = None
        self.due = 0.0  # local monotonic time of the next call
        self.failures = 0  # since AWS last answered
        self.renewing: float | None = None  # since when the credentials are of no use
        self.silent = False  # whether it was said that AWS does not answer
        self.state: Literal["reading", "missing", "done"] = "reading"
        self._last: int | None = None  # server time at the start of the last complete sweep
        self._last_deep = 0
        self._deep_due = False
        self._settled = since  # nothing older will be asked for again
        self._lags: deque[int] = deque(maxlen=1000)
        self._quiet = 0
        self._fresh = 0

    def resume(self, bookmark: Bookmark) -> None:
        self.since = self._settled = bookmark.floor
        for minute, ids in bookmark.ids.items():
            self.seen.restore(minute, set(ids))

    def bookmark(self, held: set[str]) -> Bookmark:
        """Return the bookmark. `held` are ids not yet handed out, which must be read again."""
        ids = {minute: sorted(ids - held) for minute, ids in self.seen.items()}
        return Bookmark(max(self.seen.floor, self.since), ids)

    @property
    def catching_up(self) -> bool:
        return self._last is None

    @property
    def progress(self) -> int:
        return max(self.since, self.sweep.progress if self.sweep else 0)

    def begin(self, now: int) -> Sweep:
        """Start the next sweep. After a pause its range reaches back to the last complete one."""
        deep = self._last is None or self._deep_due or now >= self._last_deep + DEEP_EVERY
        self._deep_due = False
        if self._last is None:
            start = self.since
        elif deep:
            start = min(now, self._last_deep) - self.look_back
        else:
            start = min(now, self._last) - self.short_window
        end = now + (_FURTHEST_AHEAD if deep else _AHEAD) if self.until is None else self.until
        start = max(start, self.since, self.seen.floor)
        self.sweep = Sweep(now, start, max(start, end), deep, span=self.look_back + _FURTHEST_AHEAD)
        self._fresh = 0
        return self.sweep

    def take(self, answer: Mapping[str, Any]) -> list[LogEvent]:
        """Return the new events of a page. Advances the sweep, and commits it at its end."""
        sweep = self.sweep
        assert sweep is not None
        rows = page.rows(answer)
        first, last = (rows[0][0], rows[-1][0]) if rows else (0, 0)
        events = self._new(rows)
        self._lags.extend([max(0, event[1] - event[0]) for event in events[-1000:]])
        self._fresh += len(events)
        if sweep.answer(len(rows), first, last, answer.get("nextToken")):
            self._commit(sweep)
        elif sweep.deep:
            # While a long history is read, ids before the slice are not needed any more. Those of
            # the look-back are, by the next sweep or the next reading.
            kept = self.look_back if self.until is None or self.remembers else 0
            self._settled = max(self._settled, min(sweep.start, sweep.started - kept))
        return events

    def _new(self, rows: Iterable[page.Row]) -> list[LogEvent]:
        narrow, admits, add = self.selection.narrow, self.selection.admits, self.seen.add
        name = self.group.source
        # Creating a tuple directly costs half of what LogEvent(…) does.
        make = partial(tuple.__new__, LogEvent)
        return [
            make((timestamp, ingested, name, stream, id, message, False))
            for timestamp, ingested, stream, id, message in rows
            if (not narrow or admits(stream)) and add(id, timestamp)
        ]

    def _commit(self, sweep: Sweep) -> None:
        self.sweep = None
        self._last = sweep.started
        if sweep.deep:
            self._last_deep = sweep.started
            self._settled = max(self._settled, sweep.started - self.look_back)
        self._quiet = 0 if self._fresh else self._quiet + 1
        if self.until is not None:
            self.state = "done"

    def answered(self) -> None:
        self.failures, self.renewing, self.silent = 0, None, False

    def hurry(self) -> None:
        """Let the next sweep begin at once, and make it a deep one."""
        self.due = 0.0
        self._deep_due = True

    def forget(self, oldest_held: int | None) -> None:
        """Forget ids that cannot be read again and are not still to be handed out."""
        limit = self._settled if oldest_held is None else min(self._settled, oldest_held)
        self.seen.forget(limit)

    def interval(self, floor: float) -> float:
        """Return the seconds to the next sweep: an idle group is read less and less often."""
        return max(floor, _IDLE[min(self._quiet, len(_IDLE) - 1)])

    @property
    def short_window(self) -> int:
        return min(self.look_back, max(MINUTE, 2 * self.lag(0.99) + 10_000))

    def lag(self, share: float) -> int:
        """Return the lag in milliseconds below which `share` of the recent events stayed."""
        if not self._lags:
            return 0
        ordered = sorted(self._lags)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
