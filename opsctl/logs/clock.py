"""The server's clock, read from the `Date` header of every answer, even refusals.

Windows are compared with the server's ingestion times, and a laptop's clock may be wrong.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime


class ServerClock:
    """The server's time in milliseconds since 1970; up to a second behind it, never ahead.

    The offset is to a monotonic clock, so a step of the local clock causes no gap.
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
