"""AWS's time, as the dates of its answers show it: this machine's clock may be wrong."""

import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# A date has whole seconds, and an answer takes its time: a smaller difference shows nothing.
_NOISE = timedelta(seconds=5)
# AWS refuses every call of a clock that is more than some minutes wrong, so no answer of its says
# this; a proxy's may.
_MOST = timedelta(days=1)
_KEPT = 16  # answers; the quickest of them shows the difference best


class Clock:
    """This machine's clock, corrected by what AWS's answers say. `now` is the uncorrected one."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._behind: deque[timedelta] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    def learn(self, date: str) -> None:
        """Take note of the date of an answer that has just come. Any other text is ignored."""
        try:
            theirs = parsedate_to_datetime(date)
        except (ValueError, OverflowError):
            return
        behind = theirs.replace(tzinfo=UTC) - self._now()
        if abs(behind) > _MOST:
            return
        with self._lock:
            self._behind.append(behind)

    def corrected(self, local: datetime) -> datetime:
        """Return AWS's time for a time of this machine's clock."""
        with self._lock:
            behind = max(self._behind, default=timedelta())
        return local + behind if abs(behind) > _NOISE else local

    def now(self) -> datetime:
        return self.corrected(self._now())
