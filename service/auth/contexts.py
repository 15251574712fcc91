"""Find security contexts by client token: in memory, else on disk, else from the auth server.

Requests of this process with the same token share one call. Processes take turns by the disk's
lock, so the second one finds what the first has written.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from service.auth import cache
from service.auth.errors import Refused, Unavailable
from service.auth.refresh import AuthServer

T = TypeVar("T")

# A refusal may mean that our access token ended early. Then it is renewed, but not more often than
# this.
_YOUNG = 60.0
_EARLY = 30.0
_PRUNE_EVERY = 600.0
_STALE_PAUSE = 5.0  # seconds between two attempts to reach a server that is away
_ACCESS = b"access token"
ASKING = 128  # unknown tokens that are checked at one time
REFUSED_SECONDS = 10.0  # a refusal is remembered, so that a bad token does not cause endless calls
_REFUSALS = 4096


class Flights:
    """Lets concurrent callers of one key share one call, which survives callers that leave.

    At most `limit` calls are for unknown tokens. One more cancels the oldest of them: it has had
    its time, and new ones would wait behind it for a slow server.
    """

    def __init__(self, limit: int = ASKING) -> None:
        self._limit = limit
        self._tasks: dict[bytes, asyncio.Task[Any]] = {}
        self._strangers: dict[bytes, asyncio.Task[Any]] = {}  # oldest first
        self.gave_way = 0

    async def share(
        self, key: bytes, call: Callable[[], Awaitable[T]], *, stranger: bool = False
    ) -> T:
        task: asyncio.Task[T] | None = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(_run(call))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
            if stranger:
                self._make_room()
                self._strangers[key] = task
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise  # the caller itself was cancelled
            raise Unavailable("others came after it", busy=True) from None

    def _make_room(self) -> None:
        while len(self._strangers) >= self._limit:
            key = next(iter(self._strangers))
            self._strangers.pop(key).cancel()
            self._tasks.pop(key, None)
            self.gave_way += 1

    def _landed(self, key: bytes, task: asyncio.Task[Any]) -> None:
        for tasks in (self._tasks, self._strangers):
            if tasks.get(key) is task:
                del tasks[key]
        if not task.cancelled():
            task.exception()  # if all callers have left, nobody needs the error

    async def cancel(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _run(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


class Refusals:
    """Tokens that were refused a moment ago, kept as hashes, because tokens may be long."""

    def __init__(self, now: Callable[[], float], seconds: float = REFUSED_SECONDS) -> None:
        self._now = now
        self._seconds = seconds
        self._until: dict[bytes, float] = {}  # ordered by the end

    def add(self, key: bytes, cookie: str | None) -> None:
        name = _name(key, cookie)
        self._until.pop(name, None)
        self._until[name] = self._now() + self._seconds
        while len(self._until) > _REFUSALS:
            del self._until[next(iter(self._until))]

    def has(self, key: bytes, cookie: str | None) -> bool:
        return self._until.get(_name(key, cookie), 0.0) > self._now()


def _name(key: bytes, cookie: str | None) -> bytes:
    return hashlib.sha256(b"%b\0%b" % (key, (cookie or "").encode())).digest()


@dataclass(frozen=True, slots=True)
class AccessToken:
    text: str
    issued: float
    expires: float

    def __repr__(self) -> str:
        return "AccessToken(***)"


class Contexts:
    """`lifetime` and `stale` in seconds; `stale` is for when the auth server is away."""

    def __init__(
        self,
        server: AuthServer,
        disk: cache.Disk,
        refresh_token: str,
        *,
        lifetime: float = 10800.0,
        stale: float = 0.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._server = server
        self._disk = disk
        self._refresh_token = refresh_token
        self._lifetime = lifetime
        self._stale = stale
        self._now = now
        self._memory = cache.Memory(now=now)
        self._flights = Flights()
        self._refusals = Refusals(now)
        self._access: AccessToken | None = None
        self._pruned = now()
        self.recall = self._memory.recall  # the hot path: one call, no await, no allocation
        self.refused = 0
        self.unavailable = 0
        self.served_stale = 0

    async def open(self) -> None:
        await asyncio.to_thread(self._disk.open)

    async def close(self) -> None:
        await self._flights.cancel()
        self._disk.close()

    def status(self) -> Mapping[str, Any]:
        return {
            "remembered": len(self._memory),
            "calls": self._server.calls,
            "refused": self.refused,
            "gave_way": self._flights.gave_way,
            "unavailable": self.unavailable,
            "served_stale": self.served_stale,
            "lock_timeouts": self._disk.lock_timeouts,
            "disk": self._disk.trouble or "ok",
        }

    async def context(
        self, key: bytes, client_token: str, cookie: str | None = None
    ) -> Mapping[str, Any]:
        """Return the context of KEY (the Authorization header). Raises Refused or Unavailable."""
        if self._refusals.has(key, cookie):
            self.refused += 1
            raise Refused("the auth server refused it a moment ago")
        return await self._flights.share(
            key,
            lambda: self._find(key, client_token, cookie),
            stranger=self._memory.usable(key) is None,
        )

    async def _find(self, key: bytes, client_token: str, cookie: str | None) -> Mapping[str, Any]:
        known = await self._read(key)
        if known is not None:
            return known.value
        async with self._disk.lock(key):
            known = await self._read(key)
            if known is not None:
                return known.value
            return await self._ask(key, client_token, cookie)

    async def _read(self, key: bytes) -> cache.Entry | None:
        known = await asyncio.to_thread(self._disk.read, key)
        if known is None:
            return None
        self._memory.remember(key, known)
        return known if known.fresh_until > self._now() else None

    async def _ask(self, key: bytes, client_token: str, cookie: str | None) -> Mapping[str, Any]:
        try:
            value = await self._context(client_token, cookie)
        except Refused:
            self.refused += 1
            self._refusals.add(key, cookie)
            self._memory.forget(key)
            await asyncio.to_thread(self._disk.forget, key)
            raise
        except Unavailable:
            self.unavailable += 1
            kept = self._memory.usable(key) if self._stale else None
            if kept is None:
                raise
            self.served_stale += 1
            again = min(self._now() + _STALE_PAUSE, kept.usable_until)
            self._memory.remember(key, cache.Entry(kept.value, again, kept.usable_until))
            return kept.value
        kept = cache.entry(
            value,
            client_token.encode(),
            now=self._now(),
            lifetime=self._lifetime,
            stale=self._stale,
        )
        self._memory.remember(key, kept)
        if not self._echoes_a_token(value, client_token):
            await asyncio.to_thread(self._disk.write, key, kept)
        await self._prune()
        return value

    async def _context(self, client_token: str, cookie: str | None) -> Mapping[str, Any]:
        access = await self._access_token(0.0, cookie)
        try:
            return await self._server.security_context(access.text, client_token, cookie)
        except Refused:
            if access.issued > self._now() - _YOUNG:
                raise
        access = await self._access_token(self._now() - _YOUNG, cookie)
        return await self._server.security_context(access.text, client_token, cookie)

    async def _access_token(self, issued_after: float, cookie: str | None) -> AccessToken:
        access = self._access
        if access and access.issued > issued_after and access.expires > self._now():
            return access
        return await self._flights.share(_ACCESS, lambda: self._refresh(cookie))

    async def _refresh(self, cookie: str | None) -> AccessToken:
        # Workers take turns, but each needs its own token: tokens are not written to disk.
        async with self._disk.lock(_ACCESS):
            text = await self._server.access_token(self._refresh_token, cookie)
        now = self._now()
        expiry = cache.token_expiry(text.encode())
        lifetime = 10800.0 if expiry is None else min(10800.0, expiry - now - _EARLY)
        self._access = AccessToken(text, now, now + lifetime)
        return self._access

    def _echoes_a_token(self, value: Mapping[str, Any], client_token: str) -> bool:
        tokens = [client_token, self._refresh_token]
        if self._access:
            tokens.append(self._access.text)
        try:
            text = orjson.dumps(value)
        except TypeError:  # nested more deeply than orjson can write: not for the disk either
            return True
        return any(orjson.dumps(token)[1:-1] in text for token in tokens)

    async def _prune(self) -> None:
        if self._now() - self._pruned >= _PRUNE_EVERY:
            self._pruned = self._now()
            await asyncio.to_thread(self._disk.prune)
