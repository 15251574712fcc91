"""Commands on a real Redis: one round trip each, and the updates atomic in a script."""

import asyncio
import hashlib
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, cast

import hiredis

from service.entities.commands import LAST_UPDATE, Command, Delete, Entity, Read, Replace, Reply
from service.errors import FilterError
from service.stores.address import Address
from service.stores.connection import Connection
from service.stores.store import Conflict, Unavailable
from service.trust import tls

_log = logging.getLogger(__name__)

_CONNECT_TIMEOUT = 2.0
_FIRST_DELAY = 0.05
_LONGEST_DELAY = 5.0


class Script:
    def __init__(self, name: str) -> None:
        self.text = Path(__file__).with_name(name).read_bytes()
        self.digest = hashlib.sha1(self.text, usedforsecurity=False).hexdigest().encode()


class RedisStore:
    """A lost connection is opened again in the background, with growing pauses.

    Requests wait for the first attempt, and never longer than `timeout`; from then on they are
    told at once that the store is away, until it is back.
    `tls_ca` is a file of the only authorities to trust; without one, the system's count.
    """

    def __init__(
        self,
        address: Address,
        *,
        timeout: float,
        user: str = "",
        password: str = "",
        tls_ca: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._address = address
        self._timeout = timeout
        self._tls = tls.context(tls_ca) if address.tls else None
        self._credentials = [part.encode() for part in (user, password) if part]
        self._sleep = sleep
        self._replace, self._update = Script("replace.lua"), Script("update.lua")
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._first_attempt: asyncio.Future[None] | None = None
        self._why = "not connected yet"
        self._since = time.time()
        self._losses = 0

    async def open(self) -> None:
        """Connect; a Redis that is away is reported and sought in the background."""
        self._reconnect(asyncio.get_running_loop())
        await self._settled()

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def status(self) -> Mapping[str, Any]:
        state = "down" if self._connection is None else "up"
        told = {"state": state, "store": "redis", "address": str(self._address)}
        since = {"since": int(self._since), "losses": self._losses}
        return {**told, **since, **({"why": self._why} if state == "down" else {})}

    async def execute(self, command: Command) -> Reply:
        connection = self._connection
        if connection is None:
            await self._settled()
            connection = self._connection
            if connection is None:
                raise Unavailable(self._why)
        try:
            if type(command) is Read and not command.batch and command.fields is None:
                return (await connection.call(b"HGETALL", command.entities[0].store_key),)
            return await self._run(connection, command)
        except hiredis.ReplyError as error:
            _log.error("redis refused a command: %s", error)
            raise FilterError(502, "the store refused the command") from error

    async def _run(self, connection: Connection, command: Command) -> Reply:
        match command:
            case Read(entities=entities, fields=fields):
                return await asyncio.gather(*[_read(connection, e, fields) for e in entities])
            case Replace():
                members = [part for member in command.attributes for part in member]
                key = command.entity.store_key
                arguments = (key, command.last_update, *members)
                return bool(await _script(connection, self._replace, *arguments))
            case Delete():
                await connection.call(b"DEL", command.entity.store_key)
                return None
        changes = [part for c in command.changes for part in (c.name, c.verb.encode(), c.argument)]
        arguments = (command.entity.store_key, command.last_update, *changes)
        if conflict := await _script(connection, self._update, *arguments):
            raise Conflict(conflict)
        return None

    async def _settled(self) -> None:
        if self._first_attempt is not None:
            await asyncio.shield(self._first_attempt)

    def _reconnect(self, loop: asyncio.AbstractEventLoop) -> None:
        attempt = self._first_attempt = loop.create_future()
        loop.call_later(self._timeout, _settle, attempt)
        self._connecting = loop.create_task(self._seek(attempt))

    async def _seek(self, first_attempt: "asyncio.Future[None]") -> None:
        delay = _FIRST_DELAY
        while True:
            try:
                self._connection = await self._connect()
            except (OSError, TimeoutError, Unavailable, hiredis.HiredisError) as error:
                self._why = _reason(error)
                if delay == _FIRST_DELAY:
                    _log.warning("redis %s cannot be reached: %s", self._address, self._why)
                _settle(first_attempt)
                await self._sleep(delay * random.uniform(0.5, 1.0))
                delay = min(delay * 2, _LONGEST_DELAY)
            else:
                self._since = time.time()
                _settle(first_attempt)
                return

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        here = self._address

        def protocol() -> Connection:
            return Connection(loop, self._timeout, self._lost)

        async with asyncio.timeout(_CONNECT_TIMEOUT):
            if here.path:
                _, connection = await loop.create_unix_connection(protocol, here.path)
            else:
                _, connection = await loop.create_connection(
                    protocol, here.host, here.port, ssl=self._tls
                )
            await self._greet(connection)
        return connection

    async def _greet(self, connection: Connection) -> None:
        # One that accepts but does not answer is not a Redis that is up.
        calls = [connection.call(b"AUTH", *self._credentials)] if self._credentials else []
        if self._address.database:
            calls.append(connection.call(b"SELECT", b"%d" % self._address.database))
        for script in (self._replace, self._update):
            calls.append(connection.call(b"SCRIPT", b"LOAD", script.text))
        hello = connection.call(b"HELLO", b"2")  # the one way to learn the role that any user has
        try:
            *replies, told = await asyncio.gather(*calls, hello, return_exceptions=True)
            for reply in replies:
                if isinstance(reply, BaseException):
                    raise reply
            # It would take reads and refuse writes, until it is a master or its address moves.
            if isinstance(told, list) and b"replica" in told:
                raise Unavailable("it is a replica")
            # Lost before anybody was to be told of it: it would never be opened again.
            if connection.closed:
                raise Unavailable("closed by the server")
        except BaseException:
            connection.close()
            raise

    def _lost(self, connection: Connection, why: str) -> None:
        if connection is not self._connection:
            return  # never got as far as being used: _seek knows
        self._connection = None
        self._why = why
        self._since = time.time()
        self._losses += 1
        _log.warning("redis %s is lost: %s", self._address, why)
        self._reconnect(asyncio.get_running_loop())


def _settle(attempt: "asyncio.Future[None]") -> None:
    if not attempt.done():
        attempt.set_result(None)


def _reason(error: BaseException) -> str:
    if isinstance(error, Unavailable):
        return error.why
    if isinstance(error, ssl.SSLError):
        return tls.reason(error)
    return str(error) or "no answer in time"


async def _read(
    connection: Connection, entity: Entity, fields: tuple[bytes, ...] | None
) -> list[bytes]:
    if fields is None:
        return cast(list[bytes], await connection.call(b"HGETALL", entity.store_key))
    names = (LAST_UPDATE, *fields)
    values = await connection.call(b"HMGET", entity.store_key, *names)
    return [
        part
        for name, value in zip(names, values, strict=True)
        if value is not None
        for part in (name, value)
    ]


async def _script(connection: Connection, script: Script, key: bytes, *arguments: bytes) -> Any:
    try:
        return await connection.call(b"EVALSHA", script.digest, b"1", key, *arguments)
    except hiredis.ReplyError as error:
        if not str(error).startswith("NOSCRIPT"):
            raise
        return await connection.call(b"EVAL", script.text, b"1", key, *arguments)
