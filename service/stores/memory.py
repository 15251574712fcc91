"""The map in this process: what `testing` uses, and `fallback` when Redis is away.

It does to a dict what the Lua scripts do to a hash, to the byte.
"""

import re
from collections.abc import Mapping
from typing import Any

from service.entities.attributes import NUMBER_LIMIT
from service.entities.commands import (
    LAST_UPDATE,
    Change,
    Command,
    Delete,
    Entity,
    Read,
    Replace,
    Reply,
    Update,
)
from service.stores.store import Conflict, Unavailable

_NUMBER = re.compile(rb'"(-?[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?)"')

Attributes = dict[bytes, bytes]


class MemoryStore:
    """`limit` bounds the number of entities, because nothing else would."""

    def __init__(self, limit: int = 100_000) -> None:
        self._hashes: dict[bytes, Attributes] = {}
        self._limit = limit

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def status(self) -> Mapping[str, Any]:
        return {"state": "up", "store": "memory", "entities": len(self._hashes)}

    async def execute(self, command: Command) -> Reply:
        match command:
            case Read():
                return [self._read(entity, command.fields) for entity in command.entities]
            case Replace():
                return self._replace(command)
            case Update():
                self._update(command)
            case Delete():
                self._hashes.pop(command.entity.store_key, None)
        return None

    def _read(self, entity: Entity, fields: tuple[bytes, ...] | None) -> list[bytes]:
        found = self._hashes.get(entity.store_key, {})
        names = found if fields is None else (LAST_UPDATE, *fields)
        return [part for name in names if name in found for part in (name, found[name])]

    def _replace(self, command: Replace) -> bool:
        key = command.entity.store_key
        existed = key in self._hashes
        self._put(key, {LAST_UPDATE: command.last_update, **dict(command.attributes)})
        return existed

    def _update(self, command: Update) -> None:
        key = command.entity.store_key
        attributes = dict(self._hashes.get(key, {}))
        for change in command.changes:
            if change.verb == "delete":
                attributes.pop(change.name, None)
            else:
                attributes[change.name] = _changed(attributes.get(change.name), change)
        self._put(key, {**attributes, LAST_UPDATE: command.last_update})

    def _put(self, key: bytes, attributes: Attributes) -> None:
        if key not in self._hashes and len(self._hashes) >= self._limit:
            raise Unavailable("the map in this process is full")
        self._hashes[key] = attributes


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
    number = _NUMBER.fullmatch(old)
    if number is None:
        raise Conflict(change.name)
    term = float(number[1])
    total = term + float(change.argument)
    if not (abs(term) < NUMBER_LIMIT and abs(total) < NUMBER_LIMIT):
        raise Conflict(change.name)
    if total == 0:  # -0 is 0
        return b'"0"'
    return b'"%.0f"' % total if total.is_integer() else b'"%.15g"' % total
