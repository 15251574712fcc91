"""The writes that Redis does not know, so that somebody can repeat them.

Writes that a later PUT or DELETE makes pointless are removed. Beyond the limit writes are only
counted.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from service.entities.commands import Change, Delete, Entity, Replace, Update, Verb
from service.entities.form import Write
from service.stores.memory import pack, unpack

JOURNAL_BYTES = 32 * 1024 * 1024
# Bytes that Python needs in addition to the texts: per entity, and per write.
_ENTITY, _WRITE = 320, 60


@dataclass(slots=True)
class _Writes:
    """`whole` is False after a write that was not kept: updates after it would differ."""

    kept: list[bytes] = field(default_factory=list)
    whole: bool = True


class Journal:
    """`limit` is in bytes of memory."""

    def __init__(self, limit: int = JOURNAL_BYTES) -> None:
        self._limit = limit
        self._entities: dict[bytes, _Writes] = {}
        self.bytes = 0
        self.writes = 0
        self.not_kept = 0

    def add(self, write: Write) -> bool:
        """Record a write. Returns whether it is kept."""
        self.writes += 1
        key = write.entity.store_key
        writes = self._entities.get(key)
        if writes is None:
            if self.bytes + _ENTITY + len(key) > self._limit:
                self.not_kept += 1
                return False
            writes = self._entities[key] = _Writes()
            self.bytes += _ENTITY + len(key)
        if not isinstance(write, Update):
            self.bytes -= sum(_WRITE + len(one) for one in writes.kept)
            writes.kept, writes.whole = [], True
        packed = _packed(write)
        if not writes.whole or self.bytes + _WRITE + len(packed) > self._limit:
            writes.whole = False
            self.not_kept += 1
            return False
        writes.kept.append(packed)
        self.bytes += _WRITE + len(packed)
        return True

    @property
    def entities(self) -> int:
        return len(self._entities)

    def keys(self, limit: int) -> list[str]:
        return [key.decode() for key in itertools.islice(self._entities, limit)]

    def kept(self) -> Iterator[Write]:
        """Yield the writes; those of one entity are in the order in which they must be repeated."""
        snapshot = [(key, tuple(writes.kept)) for key, writes in self._entities.items()]
        return (_write(key, packed) for key, kept in snapshot for packed in kept)


def _packed(write: Write) -> bytes:
    match write:
        case Replace(members=members, last_update=last_update):
            return pack((b"replace", last_update, *members))
        case Update(changes=changes, last_update=last_update):
            parts = ((c.name, c.verb.encode(), c.argument) for c in changes)
            return pack((b"update", last_update, *itertools.chain.from_iterable(parts)))
        case Delete():
            return pack((b"delete",))


def _write(key: bytes, packed: bytes) -> Write:
    entity = Entity(key)
    verb, *rest = unpack(packed)
    if verb == b"delete":
        return Delete(entity)
    last_update, *parts = rest
    if verb == b"replace":
        return Replace(entity, tuple(parts), last_update)
    changes = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return Update(
        entity,
        tuple(Change(name, cast(Verb, verb.decode()), text) for name, verb, text in changes),
        last_update,
    )
