"""Redis first, and the map of this process while Redis cannot be reached.

What the map was given meanwhile does not go back to Redis by itself: it is counted, logged when
Redis is back, and its keys are shown on `/status`.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from service.entities.commands import Command, Read, Reply
from service.stores.store import Store, Unavailable

_log = logging.getLogger(__name__)

_KEYS_SHOWN = 100
_KEYS_KEPT = 100_000


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
        self._writes = 0
        self._written: dict[bytes, None] = {}

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
            self._writes += 1
            if len(self._written) < _KEYS_KEPT:
                self._written[command.entity.store_key] = None

    def _back(self, since: float) -> None:
        self._away_since = None
        _log.warning(
            "redis is back after %.1f s: the map served %d commands; "
            "%d entities have been written to it so far that Redis does not know of",
            self._clock() - since,
            self._served - self._served_before,
            len(self._written),
        )

    def status(self) -> Mapping[str, Any]:
        return {
            **self._first.status(),
            "fallback": {
                "serving": self._away_since is not None,
                "served": self._served,
                "writes": self._writes,
                "entities_written": len(self._written),
                "keys": [key.decode() for key in list(self._written)[:_KEYS_SHOWN]],
            },
        }
