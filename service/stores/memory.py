"""The map in this process: for `testing`, and for `fallback` while Redis is away.

It does to a dict what the Lua scripts do to a hash, byte by byte. An entity is kept in one piece in
Redis's format: this takes a tenth of the memory of a dict, and its size is known exactly.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

import hiredis

from service.entities.attributes import NUMBER_LENGTH, NUMBER_LIMIT
from service.entities.commands import (
    ENTITY_ATTRIBUTES,
    ENTITY_BYTES,
    LAST_UPDATE,
    Change,
    Command,
    Delete,
    Entity,
    Read,
    Replace,
    Reply,
    TooLarge,
    Update,
)
from service.stores.store import Conflict, Unavailable

MAP_BYTES = 64 * 1024 * 1024
_OVERHEAD = 220  # bytes that Python needs for a key and a value, in addition to their text
_NUMBER = re.compile(rb'"(-?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)"')

Attributes = dict[bytes, bytes]


def pack(parts: Iterable[bytes]) -> bytes:
    """Join the parts into new memory, so that what they were cut from can be freed."""
    return cast(bytes, hiredis.pack_command(cast(Any, tuple(parts))))


def unpack(packed: bytes) -> list[bytes]:
    reader = hiredis.Reader()
    reader.feed(packed)
    return cast(list[bytes], reader.gets())


_DELETED = pack(())


class MemoryStore:
    """`limit` is in bytes, of everything that is kept.

    `knows_all` is False for a map that replaces a Redis: reading what it was not given raises
    Unavailable, and it remembers what was deleted.
    """

    def __init__(self, limit: int = MAP_BYTES, *, knows_all: bool = True) -> None:
        self._packed: dict[bytes, bytes] = {}
        self._limit = limit
        self._knows_all = knows_all
        self._used = 0

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def clear(self) -> None:
        self._packed.clear()
        self._used = 0

    def status(self) -> Mapping[str, Any]:
        sizes = {"bytes": self._used, "most_bytes": self._limit}
        return {"state": "up", "store": "memory", "entities": len(self._packed), **sizes}

    async def execute(self, command: Command) -> Reply:
        match command:
            case Read():
                return [self._read(entity, command.fields) for entity in command.entities]
            case Replace():
                return self._replace(command)
            case Update():
                self._update(command)
            case Delete() if self._knows_all:
                self._forget(command.entity.store_key)
            case Delete():
                self._put(command.entity.store_key, {})
        return None

    def _members(self, key: bytes) -> list[bytes]:
        packed = self._packed.get(key)
        if packed is not None:
            return unpack(packed)
        if self._knows_all:
            return []
        raise Unavailable("the map in this process has not seen this entity")

    def _read(self, entity: Entity, fields: tuple[bytes, ...] | None) -> list[bytes]:
        members = self._members(entity.store_key)
        if fields is None:
            return members
        values = dict(zip(members[::2], members[1::2], strict=True))
        return [
            part
            for name in (LAST_UPDATE, *fields)
            if name in values
            for part in (name, values[name])
        ]

    def _replace(self, command: Replace) -> bool:
        key = command.entity.store_key
        kept = self._packed.get(key)
        # If Redis may have it, nobody can say that this write created it.
        existed = kept != _DELETED if kept is not None else not self._knows_all
        members = zip(command.members[::2], command.members[1::2], strict=True)
        self._put(key, {LAST_UPDATE: command.last_update, **dict(members)})
        return existed

    def _update(self, command: Update) -> None:
        key = command.entity.store_key
        members = self._members(key)
        before = dict(zip(members[::2], members[1::2], strict=True))
        after = dict(before)
        for change in command.changes:
            if change.verb == "delete":
                after.pop(change.name, None)
            else:
                after[change.name] = _changed(before.get(change.name), change)
        after[LAST_UPDATE] = command.last_update
        _require_room(before, after)
        self._put(key, after)

    def _put(self, key: bytes, attributes: Attributes) -> None:
        packed = pack(part for member in attributes.items() for part in member)
        size = _OVERHEAD + len(key) + len(packed)
        kept = self._packed.get(key)
        freed = 0 if kept is None else _OVERHEAD + len(key) + len(kept)
        if self._used - freed + size > self._limit:
            raise Unavailable("the map in this process is full")
        self._packed[key] = packed
        self._used += size - freed

    def _forget(self, key: bytes) -> None:
        kept = self._packed.pop(key, None)
        if kept is not None:
            self._used -= _OVERHEAD + len(key) + len(kept)


def _require_room(before: Attributes, after: Attributes) -> None:
    """Raise TooLarge, unless an entity that was too large before becomes smaller."""
    (bytes_before, count_before), (bytes_after, count_after) = _extent(before), _extent(after)
    if bytes_after > max(ENTITY_BYTES, bytes_before):
        raise TooLarge()
    if count_after > max(ENTITY_ATTRIBUTES, count_before):
        raise TooLarge()


def _extent(attributes: Attributes) -> tuple[int, int]:
    sizes = [len(name) + len(value) for name, value in attributes.items() if name != LAST_UPDATE]
    return sum(sizes), len(sizes)


def _changed(old: bytes | None, change: Change) -> bytes:
    if change.verb == "set":
        return change.argument
    if change.verb == "add":
        return _sum(b'"0"' if old is None else old, change)
    items = b"[]" if old is None else old
    if not items.startswith(b"["):
        raise Conflict(change.name)
    parts = [items[1:-1], change.argument]
    if change.verb == "prepend":
        parts.reverse()
    return b"[%b]" % b",".join(filter(None, parts))


def _sum(old: bytes, change: Change) -> bytes:
    number = _NUMBER.fullmatch(old) if len(old) <= NUMBER_LENGTH + 2 else None
    if number is None:
        raise Conflict(change.name)
    term = float(number[1])
    total = term + float(change.argument)
    if not (abs(term) < NUMBER_LIMIT and abs(total) < NUMBER_LIMIT):
        raise Conflict(change.name)
    if total == 0:  # -0 becomes 0
        return b'"0"'
    return b'"%.0f"' % total if total.is_integer() else b'"%.15g"' % total
