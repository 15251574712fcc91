"""The writes that Redis does not know of, so that somebody can do them again.

What a PUT or a DELETE makes pointless is let go. Beyond the limits writes are counted only.
"""

import itertools
from dataclasses import dataclass, field

from service.entities.commands import Delete, Replace, Update
from service.entities.form import Write

_OVERHEAD = 200  # bytes that Python needs for a write, about


@dataclass(slots=True)
class _Writes:
    kept: list[Write] = field(default_factory=list)
    size: int = 0
    whole: bool = True


class Journal:
    """`limit` is of writes, `size` of their bytes in memory, `entities` of what is counted."""

    def __init__(
        self, limit: int = 10_000, size: int = 8 * 1024 * 1024, entities: int = 100_000
    ) -> None:
        self._limit = limit
        self._size = size
        self._most = entities
        self._entities: dict[bytes, _Writes] = {}
        self._kept = 0
        self._used = 0
        self.writes = 0
        self.not_kept = 0

    def add(self, write: Write) -> None:
        self.writes += 1
        size = _size(write)
        writes = self._writes(write.entity.store_key)
        if writes is None:
            self.not_kept += 1
            return
        if not isinstance(write, Update):
            self._kept -= len(writes.kept)
            self._used -= writes.size
            writes.kept, writes.size, writes.whole = [], 0, True
        # After a gap an update would be done to something else than it was.
        writes.whole &= self._kept < self._limit and self._used + size <= self._size
        if not writes.whole:
            self.not_kept += 1
            return
        writes.kept.append(write)
        writes.size += size
        self._kept += 1
        self._used += size

    def _writes(self, key: bytes) -> _Writes | None:
        """None for an entity beyond those that are counted."""
        if key not in self._entities and len(self._entities) < self._most:
            self._entities[key] = _Writes()
        return self._entities.get(key)

    @property
    def entities(self) -> int:
        return len(self._entities)

    def keys(self, limit: int) -> list[str]:
        return [key.decode() for key in itertools.islice(self._entities, limit)]

    def kept(self) -> list[Write]:
        """In the order in which they have to be done, as far as they concern one entity."""
        return [write for writes in self._entities.values() for write in writes.kept]


def _size(write: Write) -> int:
    size = _OVERHEAD + len(write.entity.store_key) + len(write.entity.head)
    match write:
        case Replace(attributes=attributes):
            return size + sum(_OVERHEAD + len(name) + len(value) for name, value in attributes)
        case Update(changes=changes):
            return size + sum(_OVERHEAD + len(c.name) + len(c.argument) for c in changes)
        case Delete():
            return size
