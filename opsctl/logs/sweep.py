"""One sweep over a range of time, cut into slices that are paged to their last token. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MINUTE = 60_000
LIMIT = 10_000  # the API's maximum of events per page
CROWDED_PAGES = 20  # a slice with more pages makes the next ones half as long
_SHORTEST = 1_000
_BARREN = 3
_GOOD_PAGES = 10  # of a slice, so that it needs little memory
_MOST_RESTARTS = 30


@dataclass(slots=True)
class Sweep:
    """Reads a fixed range; both ends are inclusive, as in FilterLogEvents.

    The range never moves while it is read, so paging ends even on a busy group.
    """

    started: int  # server time; this sweep sees everything that was ingested before
    start: int  # of the slice
    end: int  # of the whole range
    deep: bool
    span: int  # length of the next slice
    cut: int = 0  # end of the slice, 0 before its first page
    token: str | None = None
    pages: int = 0
    barren: int = 0
    restarts: int = 0  # of this slice
    crowded: int = 0  # milliseconds that hold more events than a page can
    # everything older was read; true if pages are sorted, used for the order only
    progress: int = 0

    def request(self) -> Mapping[str, Any]:
        if not self.cut:
            self.cut = min(self.start + self.span - 1, self.end)
        arguments = {"startTime": self.start, "endTime": self.cut, "limit": LIMIT}
        return {**arguments, "nextToken": self.token} if self.token else arguments

    def answer(self, count: int, first: int, last: int, token: str | None) -> bool:
        """Record a page. Returns True when it was the last page of the last slice.

        An empty page with a token is not the end. When the same token repeats without events,
        paging is broken and the slice starts again.
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
            # A full page without a token: an emulator cut the list off. On AWS this is rare and
            # harmless, because known ids are not taken again.
            self.crowded += last == first
            self.restarts = self.restarts + 1 if last <= self.start else 0
            self._open(last if last > self.start else self.start + 1)
            return self.start > self.end
        return self._next_slice()

    def restart(self) -> None:
        """Read this slice again, shorter: its token was refused or leads nowhere."""
        length = self.cut - self.start + 1
        self.span = max(_SHORTEST, min(self.span, length) // 2)
        self.restarts += 1
        self._open(self.start)

    @property
    def stuck(self) -> bool:
        """Whether reading the same slice has been repeated too often."""
        return self.restarts >= _MOST_RESTARTS

    def _fit(self, covered: int) -> None:
        """Shorten a slice that would have too many pages, judged by its first page."""
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
