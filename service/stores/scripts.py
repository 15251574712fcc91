"""The Lua scripts of writes, and how entity commands become Redis commands."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from redis.exceptions import NoScriptError, OutOfMemoryError, ResponseError

from service.entities.commands import (
    ENTITY_ATTRIBUTES,
    ENTITY_BYTES,
    LAST_UPDATE,
    Command,
    Delete,
    Entity,
    Hash,
    Read,
    Replace,
    Reply,
    TooLarge,
    Update,
)
from service.errors import FilterError
from service.stores.store import Conflict

_log = logging.getLogger(__name__)

REPLY_BYTES = 4 * 1024 * 1024
# A batch is read at once if its entities take no more memory than this in Redis; otherwise as many
# at a time as a request may hold if each were as large as allowed.
AT_ONCE_BYTES = 8 * 1024 * 1024
WAVE = 8

Call = Callable[..., Awaitable[Any]]
"""Takes the key that decides who is asked, and then the command."""


class Script:
    def __init__(self, name: str) -> None:
        self.text = Path(__file__).with_name(name).read_bytes()
        self.digest = hashlib.sha1(self.text, usedforsecurity=False).hexdigest().encode()


REPLACE, UPDATE, SIZES = (Script(f"{name}.lua") for name in ("replace", "update", "sizes"))
SCRIPTS = (REPLACE, UPDATE, SIZES)
_LIMITS = (b"%d" % ENTITY_BYTES, b"%d" % ENTITY_ATTRIBUTES)


async def run(call: Call, command: Command, *, together: bool) -> Reply:
    """Run a command. `together` means that one server has all keys.

    Raises Conflict, TooLarge, a FilterError for what Redis refuses, or Unavailable.
    """
    try:
        match command:
            case Read():
                return await _read_all(call, command, together)
            case Replace():
                return bool(await _script(call, REPLACE, *replacement(command)))
            case Update():
                await _update(call, command)
            case Delete():
                key = command.entity.store_key
                await call(key, b"DEL", key)
        return None
    except ResponseError as error:
        refuse(error)


def replacement(command: Replace) -> tuple[bytes, ...]:
    """Return the key and arguments of the script."""
    return command.entity.store_key, command.last_update, *command.members


def refuse(error: ResponseError) -> NoReturn:
    _log.error("redis refused a command: %s", error)
    if isinstance(error, OutOfMemoryError):
        raise FilterError(507, "the store is full") from error
    raise FilterError(502, "the store refused the command") from error


async def _update(call: Call, command: Update) -> None:
    changes = [part for c in command.changes for part in (c.name, c.verb.encode(), c.argument)]
    arguments = (command.entity.store_key, command.last_update, *_LIMITS, *changes)
    outcome = await _script(call, UPDATE, *arguments)
    if outcome == 1:
        raise TooLarge()
    if outcome:
        raise Conflict(outcome)


async def _read_all(call: Call, command: Read, together: bool) -> list[Hash]:
    entities, fields = command.entities, command.fields
    wave = WAVE
    if together and len(entities) > WAVE and await _are_small(call, entities):
        wave = len(entities)
    replies: list[Hash] = []
    size = 0
    for begin in range(0, len(entities), wave):
        hashes = await _read(call, entities[begin : begin + wave], fields)
        replies += hashes
        size += sum([sum(map(len, reply)) for reply in hashes])
        if size > REPLY_BYTES and command.batch:
            detail = f"the entities are larger than {REPLY_BYTES} bytes together: ask for fewer"
            raise FilterError(400, detail)
    return replies


async def _are_small(call: Call, entities: Sequence[Entity]) -> bool:
    keys = [entity.store_key for entity in entities]
    count = b"%d" % len(keys)
    limit = b"%d" % AT_ONCE_BYTES
    try:
        size = await call(keys[0], b"EVALSHA", SIZES.digest, count, *keys, limit)
    except ResponseError:
        return False  # this user may not measure them: treat them as large
    return bool(size <= AT_ONCE_BYTES)


async def _read(
    call: Call, entities: Sequence[Entity], fields: tuple[bytes, ...] | None
) -> Sequence[Hash]:
    if fields is None:
        return await asyncio.gather(*[call(e.store_key, b"HGETALL", e.store_key) for e in entities])
    names = (LAST_UPDATE, *fields)
    rows = await asyncio.gather(
        *[call(e.store_key, b"HMGET", e.store_key, *names) for e in entities]
    )
    return [
        [
            part
            for name, value in zip(names, values, strict=True)
            if value is not None
            for part in (name, value)
        ]
        for values in rows
    ]


async def _script(call: Call, script: Script, key: bytes, *arguments: bytes) -> Any:
    try:
        return await call(key, b"EVALSHA", script.digest, b"1", key, *arguments)
    except NoScriptError:
        return await call(key, b"EVAL", script.text, b"1", key, *arguments)
