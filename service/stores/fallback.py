"""Use Redis, and the map of this process while Redis cannot be reached.

The map knows what was written to it during this outage; everything else is answered with 503. It is
emptied when Redis is back, because from then on Redis may know better.

What was written to the map does not return to Redis by itself: it is counted, logged when Redis is
back, and offered on `/status/fallback` as requests that can be sent again.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from service.entities.commands import Command, Read, Reply
from service.entities.form import Write
from service.stores.journal import JOURNAL_BYTES, Journal
from service.stores.memory import MAP_BYTES, MemoryStore
from service.stores.store import Remote, Unavailable

_log = logging.getLogger(__name__)

_KEYS_SHOWN = 100


class FallbackStore:
    """`map_bytes` and `journal_bytes` are bytes of memory."""

    def __init__(
        self,
        first: Remote,
        *,
        map_bytes: int = MAP_BYTES,
        journal_bytes: int = JOURNAL_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first = first
        self._map = MemoryStore(map_bytes, knows_all=False)
        self._clock = clock
        self._away_since: float | None = None
        self._served = 0
        self._served_before = 0
        self._not_kept_before = 0
        self._journal = Journal(journal_bytes)

    async def open(self) -> None:
        await self._first.open()

    async def close(self) -> None:
        await self._first.close()
        if self._journal.entities:
            _log.warning(
                "the process ends and takes along what was written to its map: %d entities",
                self._journal.entities,
            )

    async def execute(self, command: Command) -> Reply:
        begun = self._away_since
        try:
            reply = await self._first.execute(command)
        except Unavailable as error:
            self._away(error)
            # A write that this refuses leaves nothing in the map or in the journal.
            reply = await self._map.execute(command)
            self._served += 1
            if not isinstance(command, Read):
                self._keep(command)
            return reply
        # A command sent before Redis was lost does not show that it is back.
        if begun is not None and begun == self._away_since and self._first.whole:
            self._back(begun)
        return reply

    def _away(self, error: Unavailable) -> None:
        if self._away_since is None:
            self._away_since = self._clock()
            self._served_before = self._served
            self._not_kept_before = self._journal.not_kept
            _log.warning("serving from the map of this process: %s", error.why)

    def _keep(self, write: Write) -> None:
        if not self._journal.add(write) and self._journal.not_kept == self._not_kept_before + 1:
            _log.error(
                "the journal is full: further writes are done in the map of this process only;"
                " they are counted, and lost when redis is back"
            )

    def _back(self, since: float) -> None:
        self._away_since = None
        self._map.clear()
        _log.warning(
            "redis is back after %.1f s: the map served %d commands; %s",
            self._clock() - since,
            self._served - self._served_before,
            self._unknown_to_redis(),
        )

    def _unknown_to_redis(self) -> str:
        entities, lost = self._journal.entities, self._journal.not_kept
        text = f"{entities} entities have been written to it so far that Redis does not know of"
        hint = "; see /status/fallback" if entities else ""
        return text + (f", {lost} of the writes could not be kept" if lost else "") + hint

    def written(self) -> Iterator[Write]:
        """Yield the writes that Redis does not know, as far as they are kept."""
        return self._journal.kept()

    def status(self) -> Mapping[str, Any]:
        return {
            **self._first.status(),
            "fallback": {
                "serving": self._away_since is not None,
                "served": self._served,
                "map": self._map.status(),
                "writes": self._journal.writes,
                "writes_not_kept": self._journal.not_kept,
                "journal_bytes": self._journal.bytes,
                "entities_written": self._journal.entities,
                "keys": self._journal.keys(_KEYS_SHOWN),
            },
        }
