"""The server's clock, read from the `Date` header of every answer, refusals included.

Windows are compared with the server's ingestion times, and laptops drift.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime


class ServerClock:
    """Milliseconds since 1970; never ahead of the server, behind by a second at most.

    The offset is kept to a monotonic clock, so a step of the local wall clock opens no hole.
    """

    def __init__(self, wall: float, monotonic: float) -> None:
        self._offset = wall - monotonic
        self.learned = False

    def learn(self, headers: Mapping[str, str], monotonic: float) -> None:
        date = headers.get("date")
        if not date:
            return
        try:
            server = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        self._offset = server - monotonic
        self.learned = True

    def now(self, monotonic: float) -> int:
        return int((monotonic + self._offset) * 1000)
