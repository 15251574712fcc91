"""One Redis at one address: a link to it that is reopened whenever it is lost."""

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection, DefaultParser
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from service.errors import StartError
from service.stores.address import Address
from service.stores.link import AWAY, MOVING, Link, reason
from service.stores.scripts import SCRIPTS
from service.stores.store import Unavailable

_log = logging.getLogger(__name__)

Mode = Literal["standalone", "cluster"]

CONNECT_TIMEOUT = 2.0
FIRST_DELAY = 0.05
LONGEST_DELAY = 5.0
# seconds; a master that becomes a replica keeps its connections and still answers
ROLE_INTERVAL = 1.0

_NOT_A_CLUSTER = "it is not in cluster mode: take the line `cluster` out of redis' block"
_A_CLUSTER = "it is a node of a cluster: write the line `cluster` into redis' block"


class TrustingConnection(SSLConnection):
    """redis-py would trust the system's authorities in addition to the given ones."""

    def __init__(self, *, trusted: ssl.SSLContext, **settings: Any) -> None:
        super().__init__(**settings)
        self.ssl_context.context = trusted


@dataclass(frozen=True)
class Access:
    """How to connect: redis-py's settings, except where to. Retrying and watching is ours."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    trusted: ssl.SSLContext | None = None

    def settings(self) -> Mapping[str, Any]:
        settings: dict[str, Any] = {
            "username": self.user or None,
            "password": self.password or None,
            "protocol": 2,  # HGETALL as a list
            "socket_timeout": None,
            "socket_connect_timeout": CONNECT_TIMEOUT,
            "driver_info": None,
            "retry": Retry(NoBackoff(), 0),
            "connection_class": Connection,
        }
        if self.trusted is not None:
            settings |= {"connection_class": TrustingConnection, "trusted": self.trusted}
        return settings

    def connection(self, address: Address) -> tuple[AbstractConnection, Callable[[], Any]]:
        """A connection that is not open yet, and what reads a reply from it.

        That is its parser's: the connection's own `read_response` takes as long again.
        """
        parsers = []

        def parser(**given: Any) -> Any:
            parsers.append(DefaultParser(**given))
            return parsers[0]

        settings = {**self.settings(), "parser_class": parser, "db": address.database}
        make = settings.pop("connection_class")
        if address.path:
            made: AbstractConnection = UnixDomainSocketConnection(path=address.path, **settings)
        else:
            made = make(host=address.host, port=address.port, **settings)
        return made, parsers[0].read_response


class WrongMode(Unavailable):
    """A cluster where a single Redis was expected, or the reverse."""


class Node:
    """One Redis.

    Requests wait for the first attempt, but at most `timeout` seconds. After that they fail at once
    while it is away.
    """

    def __init__(
        self,
        address: Address,
        access: Access,
        *,
        timeout: float,
        mode: Mode = "standalone",
        changed: Callable[[], None] = lambda: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.address = address
        self._access = access
        self._timeout = timeout
        self._mode = mode
        self._changed = changed
        self._sleep = sleep
        self._seeking: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._first_attempt: asyncio.Future[None] | None = None
        self._wrong_mode = ""
        self._reported = ""
        self._away_since: float | None = None  # since the log says that it is away
        self.up: Link | None = None
        self.why = "not connected yet"
        self.since = time.time()
        self.losses = 0

    async def open(self) -> None:
        """Connect. If it is away, report that and try again in the background.

        Raises StartError for the wrong mode, which does not change.
        """
        self.start()
        await self.settled()
        if self._wrong_mode:
            await self.close()
            raise StartError(f"redis {self.address}: {self._wrong_mode}")

    async def close(self) -> None:
        tasks = [task for task in (self._seeking, self._watching) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.up is not None:
            link, self.up = self.up, None
            await link.close()

    async def link(self) -> Link:
        """Return the link. Raises Unavailable."""
        if self.up is None:
            await self.settled()
            if self.up is None:
                raise Unavailable(self.why)
        return self.up

    async def settled(self) -> None:
        if self._first_attempt is not None:
            await asyncio.shield(self._first_attempt)

    def start(self) -> None:
        """Begin to connect, in the background."""
        loop = asyncio.get_running_loop()
        attempt = self._first_attempt = loop.create_future()
        loop.call_later(self._timeout, _settle, attempt)
        self._seeking = loop.create_task(self._seek(attempt))

    async def _seek(self, first_attempt: "asyncio.Future[None]") -> None:
        delay = FIRST_DELAY
        while True:
            try:
                link = await self._connect()
            except (OSError, TimeoutError, Unavailable, RedisError) as error:
                self.why = reason(error)
                self._wrong_mode = self.why if isinstance(error, WrongMode) else ""
                if self.why != self._reported:
                    self._reported = self.why
                    self._is_away()
                    _log.warning("redis %s cannot be reached: %s", self.address, self.why)
                _settle(first_attempt)
                await self._sleep(delay * random.uniform(0.5, 1.0))
                delay = min(delay * 2, LONGEST_DELAY)
            else:
                self.up, self._reported, self.since = link, "", time.time()
                self._watching = asyncio.get_running_loop().create_task(self._watch(link))
                _settle(first_attempt)
                self._is_back()
                self._changed()
                return

    async def _connect(self) -> Link:
        away = AWAY if self._mode == "cluster" else (*AWAY, *MOVING)
        link = Link(*self._access.connection(self.address), self._timeout, self._lost, away)
        try:
            # A server that accepts but does not answer is not up.
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await link.open()
                await self._greet(link)
        except BaseException:
            await link.close()
            raise
        return link

    async def _greet(self, link: Link) -> None:
        calls = [link.call(b"SCRIPT", b"LOAD", script.text) for script in SCRIPTS]
        hello = asyncio.ensure_future(_hello(link))
        *replies, facts = await asyncio.gather(*calls, hello, return_exceptions=True)
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
        if isinstance(facts, BaseException):
            raise facts
        self._require(facts)
        # It was lost before anybody was to be notified, and would never be reopened.
        if link.closed:
            raise Unavailable("closed by the server")

    def _require(self, facts: Mapping[bytes, Any]) -> None:
        is_cluster = facts.get(b"mode") == b"cluster"
        if facts and is_cluster != (self._mode == "cluster"):
            raise WrongMode(_A_CLUSTER if is_cluster else _NOT_A_CLUSTER)
        # A replica accepts reads and refuses writes, until it becomes a master or its address
        # moves. In a cluster, a replica redirects to its master instead.
        if not is_cluster and facts.get(b"role") == b"replica":
            raise Unavailable("it is a replica")

    async def _watch(self, link: Link) -> None:
        while not link.closed:
            await self._sleep(ROLE_INTERVAL)
            try:
                self._require(await _hello(link))
            except Unavailable as error:
                if not link.closed:
                    link.give_up(error.why)

    def _lost(self, link: Link, why: str) -> None:
        if link is not self.up:
            return  # it was never in use, and _seek knows
        self.up = None
        self.why = why
        self.since = time.time()
        self.losses += 1
        self._is_away()
        _log.warning("redis %s is lost: %s", self.address, why)
        self.start()
        self._changed()

    def _is_away(self) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()

    def _is_back(self) -> None:
        """Log the end of what was logged; without that, one lost link would look like an outage."""
        if self._away_since is not None:
            away = time.monotonic() - self._away_since
            self._away_since = None
            _log.warning("redis %s is back after %.1f s", self.address, away)


async def _hello(link: Link) -> Mapping[bytes, Any]:
    """Return role and mode, in the only way that every user is allowed; {} before Redis 6."""
    try:
        facts = await link.call(b"HELLO", b"2")
    except ResponseError:
        return {}
    if not isinstance(facts, list):
        return {}
    return dict(zip(facts[::2], facts[1::2], strict=False))


def _settle(attempt: "asyncio.Future[None]") -> None:
    if not attempt.done():
        attempt.set_result(None)
