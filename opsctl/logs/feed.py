"""What comes beside the pages of FilterLogEvents: pushed lines, and events of other services."""

from collections.abc import Sequence
from typing import Protocol

from opsctl.logs.events import LogEvent, Notice


class Feed(Protocol):
    """Reads on its own, in a thread; `take` never waits. It outlasts every outage."""

    lag: int  # milliseconds by which its events usually come late: the others wait so long

    pushes: bool  # whether lines come by themselves now, so that pages may be read less often

    def begin(self, since: int, until: int | None) -> None:
        """From here on, in milliseconds of the server's clock; without `until` for ever."""

    def take(self) -> Sequence[LogEvent | Notice]:
        """What has come since the last time."""

    def sift(self, events: list[LogEvent]) -> list[LogEvent]:
        """The events of a page without those that this feed has given already."""

    @property
    def past(self) -> bool:
        """Whether all of the past can be taken, or nothing more can be."""

    def end(self) -> None:
        """Nothing more is needed."""
