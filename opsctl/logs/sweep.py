"""One sweep over a range of time, cut into slices that are paged to their last token. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MINUTE = 60_000
LIMIT = 10_000  # events a page, the API's own maximum
CROWDED_PAGES = 20  # a slice of more pages than that makes the next ones half as long
_SHORTEST = 1_000
_BARREN = 3
_GOOD_PAGES = 10  # of a slice: what is remembered of it stays small
_MOST_RESTARTS = 30


@dataclass(slots=True)
class Sweep:
    """A fixed range; both ends are inclusive, as FilterLogEvents has them.

    The range never moves while it is read: that makes pagination finite on a busy group.
    """

    started: int  # server time; what was ingested before is in reach of this sweep
    start: int  # of the slice
    end: int  # of the whole
    deep: bool
    span: int  # length of the next slice
    cut: int = 0  # end of the slice, 0 before its first page
    token: str | None = None
    pages: int = 0
    barren: int = 0
    restarts: int = 0  # of this slice
    crowded: int = 0  # milliseconds that hold more events than one page can
    progress: int = 0  # everything older was read; true on sorted pages, used for order only

    def request(self) -> Mapping[str, Any]:
        if not self.cut:
            self.cut = min(self.start + self.span - 1, self.end)
        arguments = {"startTime": self.start, "endTime": self.cut, "limit": LIMIT}
        return {**arguments, "nextToken": self.token} if self.token else arguments

    def answer(self, count: int, first: int, last: int, token: str | None) -> bool:
        """Take note of a page; True when it was the last page of the last slice.

        An empty page with a token is not the end. The same token again and again without an
        event is a broken walk: the slice starts over.
        """
        self.pages += 1
        if count:
            self.progress = max(self.progress, last)
        if token:
            self.barren = self.barren + 1 if token == self.token and not count else 0
            self.token = token
            if self.barren >= _BARREN:
                self.restart()
            elif self.pages == 1 and count:
                self._fit(last - first)
            return False
        if count >= LIMIT:
            # Full and yet no token: an emulator has cut it off. Free on AWS, where a page of
            # this many events is rare; ids already taken are not taken again.
            self.crowded += last == first
            self.restarts = self.restarts + 1 if last <= self.start else 0
            self._open(last if last > self.start else self.start + 1)
            return self.start > self.end
        return self._next_slice()

    def restart(self) -> None:
        """Read this slice again, and shorter: its token was refused or leads nowhere."""
        length = self.cut - self.start + 1
        self.span = max(_SHORTEST, min(self.span, length) // 2)
        self.restarts += 1
        self._open(self.start)

    @property
    def stuck(self) -> bool:
        """Whether reading the same slice again and again has led nowhere."""
        return self.restarts >= _MOST_RESTARTS

    def _fit(self, covered: int) -> None:
        """Shorten a slice whose first page covers so little of it that it would have too many."""
        if self.cut - self.start > max(_SHORTEST, 2 * CROWDED_PAGES * covered):
            self.span = max(_SHORTEST, _GOOD_PAGES * covered)
            self._open(self.start)

    def _next_slice(self) -> bool:
        if self.cut >= self.end:
            return True
        if self.pages > CROWDED_PAGES:
            self.span = max(_SHORTEST, self.span // 2)
        elif self.pages == 1:
            self.span *= 2
        self.progress = max(self.progress, self.cut)
        self.restarts = 0
        self._open(self.cut + 1)
        return False

    def _open(self, start: int) -> None:
        self.start, self.cut, self.token, self.pages, self.barren = start, 0, None, 0, 0
