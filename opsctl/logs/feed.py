"""What is read beside the pages of FilterLogEvents: pushed lines, and events of other services."""

from collections.abc import Sequence
from typing import Protocol

from opsctl.logs.events import LogEvent, Notice


class Feed(Protocol):
    """Reads in its own thread and outlasts every outage; `take` never waits."""

    # milliseconds by which its events usually come late; other events are held back as long
    lag: int

    pushes: bool  # whether lines are pushed at present, so that pages can be read less often

    def begin(self, since: int, until: int | None) -> None:
        """Start reading at `since` (milliseconds, server's clock), for ever without `until`."""

    def take(self) -> Sequence[LogEvent | Notice]:
        """Return what has arrived since the last call."""

    def sift(self, events: list[LogEvent]) -> list[LogEvent]:
        """Return the events of a page without those that this feed has already given."""

    @property
    def past(self) -> bool:
        """Return whether everything of the past can be taken, or nothing more will come."""

    def end(self) -> None:
        """Stop reading."""
