"""Redis first, and the map of this process while Redis cannot be reached.

What the map was given meanwhile does not go back to Redis by itself: it is counted, logged when
Redis is back, and offered on `/status/fallback` as requests that can be sent again.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from service.entities.commands import Command, Read, Reply
from service.entities.form import Write
from service.stores.journal import Journal
from service.stores.store import Store, Unavailable

_log = logging.getLogger(__name__)

_KEYS_SHOWN = 100


class FallbackStore:
    def __init__(
        self, first: Store, instead: Store, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first = first
        self._instead = instead
        self._clock = clock
        self._away_since: float | None = None
        self._served = 0
        self._served_before = 0
        self._journal = Journal()

    async def open(self) -> None:
        await self._first.open()

    async def close(self) -> None:
        await self._first.close()

    async def execute(self, command: Command) -> Reply:
        begun = self._away_since
        try:
            reply = await self._first.execute(command)
        except Unavailable as error:
            self._note(command, error)
            return await self._instead.execute(command)
        # What was on its way when Redis was lost says nothing about its being back.
        if begun is not None and begun == self._away_since:
            self._back(begun)
        return reply

    def _note(self, command: Command, error: Unavailable) -> None:
        if self._away_since is None:
            self._away_since = self._clock()
            self._served_before = self._served
            _log.warning("serving from the map of this process: %s", error.why)
        self._served += 1
        if not isinstance(command, Read):
            self._journal.add(command)

    def _back(self, since: float) -> None:
        self._away_since = None
        _log.warning(
            "redis is back after %.1f s: the map served %d commands; "
            "%d entities have been written to it so far that Redis does not know of%s",
            self._clock() - since,
            self._served - self._served_before,
            self._journal.entities,
            "; see /status/fallback" if self._journal.entities else "",
        )

    def written(self) -> list[Write]:
        """What Redis does not know of, as far as it is kept."""
        return self._journal.kept()

    def status(self) -> Mapping[str, Any]:
        return {
            **self._first.status(),
            "fallback": {
                "serving": self._away_since is not None,
                "served": self._served,
                "writes": self._journal.writes,
                "writes_not_kept": self._journal.not_kept,
                "entities_written": self._journal.entities,
                "keys": self._journal.keys(_KEYS_SHOWN),
            },
        }
