"""One connection of redis-py to one Redis, shared by all callers.

redis-py connects, speaks TLS, authenticates, selects the database and reads replies. Sharing is
ours: the commands of one turn of the event loop are sent in one write, and replies are matched to
them in order. redis-py's own pool lends a connection to one caller at a time, which takes 6 to 10
times the client's CPU and 4 times the server's.
"""

import asyncio
import re
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from service.chain import rest_of
from service.stores.store import Unavailable
from service.trust import tls

# Errors that mean "not this server, not now" rather than "not this command".
AWAY = (ReadOnlyError, MasterDownError)
MOVING = (AskError, ClusterDownError, TryAgainError)  # MOVED is an AskError

_BROKEN = (RedisError, OSError, RuntimeError)  # the last is uvloop's, for a closed transport

_TURNS = 5

# Redis 6 wraps errors inside scripts; these are redis-py's classes for them.
_IN_SCRIPT = re.compile(r"Error running script .*?-(READONLY|MASTERDOWN|OOM)\b")
_OF_SCRIPT: Mapping[str, type[ResponseError]] = {
    "READONLY": ReadOnlyError,
    "MASTERDOWN": MasterDownError,
    "OOM": OutOfMemoryError,
}


class Link:
    """`lost` is called once, when the connection closes in any way but `close`.

    `read` waits for the next reply; one that is an error is returned, not raised.
    A server that answers nothing for `timeout` seconds while commands wait counts as lost. `away`
    are the errors after which this server is of no use.
    """

    def __init__(
        self,
        connection: AbstractConnection,
        read: Callable[[], Awaitable[Any]],
        timeout: float,
        lost: Callable[["Link", str], None],
        away: tuple[type[Exception], ...] = AWAY,
    ) -> None:
        self._connection = connection
        self._read_reply = read
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._lost: Callable[[Link, str], None] | None = lost
        self._away = away
        self._outgoing: list[bytes] = []
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._progress = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Connect. Raises redis-py's errors."""
        try:
            await self._connection.connect()  # type: ignore[no-untyped-call] # redis-py's own
        except BaseException:
            await self._connection.disconnect(nowait=True)
            raise
        self._spawn(self._read())

    @property
    def closed(self) -> bool:
        return self._lost is None

    def call(self, *command: bytes) -> asyncio.Future[Any]:
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(hiredis.pack_command(command))  # type: ignore[arg-type] # its stub
        future = self._loop.create_future()
        self._waiting.append(future)
        return future

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._lost is None:
            self._fail("closed")  # lost since the call
            return
        if len(self._waiting) == len(outgoing):
            self._progress = self._loop.time()  # nobody waited before
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout, self._look)
        packed = b"".join(outgoing)  # uvloop writes one piece much faster than many
        sending = self._connection.send_packed_command(packed, check_health=False)
        try:
            # It waits only for a server that does not read, so nearly always this sends everything.
            waits_for = sending.send(None)
        except StopIteration:
            pass
        except _BROKEN as error:
            self._fail(reason(error))
        else:
            if waits_for is None:
                self._spawn(self._finish(sending))
            else:
                waits_for.add_done_callback(lambda _: self._spawn(self._finish(sending)))

    async def _finish(self, sending: Coroutine[Any, Any, None]) -> None:
        try:
            await rest_of(sending)
        except _BROKEN as error:
            self._fail(reason(error))

    async def _read(self) -> None:
        read, waiting, now = self._read_reply, self._waiting, self._loop.time
        try:
            while True:
                reply = await read()
                self._progress = now()
                future = waiting.popleft()
                if not isinstance(reply, ResponseError):
                    if not future.done():
                        future.set_result(reply)
                    continue
                error = _unwrapped(reply)
                if isinstance(error, self._away):
                    waiting.appendleft(future)
                    self._fail(reason(error))
                    return
                if not future.done():
                    future.set_exception(error)
        except (RedisError, OSError) as error:
            self._fail(reason(error))
        except IndexError:
            self._fail("not a Redis: a reply that nobody asked for")

    def _look(self) -> None:
        self._watch = None
        if not self._waiting:
            return
        silent = self._loop.time() - self._progress
        if silent < self._timeout:
            self._watch = self._loop.call_later(self._timeout - silent, self._look)
        else:
            # This loop may have been slow instead of the server: read once more, then judge.
            self._watch = self._loop.call_later(0.002, self._judge, self._progress, _TURNS)

    def _judge(self, progress: float, turns: int) -> None:
        """Judge after some turns of the loop: received data passes through a stream's task."""
        self._watch = None
        if self._progress == progress and turns:
            self._watch = self._loop.call_later(0, self._judge, progress, turns - 1)
        elif self._progress == progress:
            self._fail(f"no reply within {self._timeout:g} s")
        elif self._waiting:
            self._watch = self._loop.call_later(self._timeout, self._look)

    def give_up(self, why: str) -> None:
        """Close the link, because somebody learned that this server is of no use any more."""
        self._fail(why)

    async def close(self) -> None:
        """Close, and wait for it: over TLS, the other side has to agree first."""
        self._lost = None
        self._fail("closed", nowait=False)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _fail(self, why: str, *, nowait: bool = True) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(Unavailable(why))
        current = asyncio.current_task(self._loop)
        for task in self._tasks:
            if task is not current:
                task.cancel()
        if self._connection.is_connected:
            self._spawn(self._connection.disconnect(nowait=nowait))
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(self, why)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _unwrapped(error: ResponseError) -> ResponseError:
    match = _IN_SCRIPT.match(str(error)) if type(error) is ResponseError else None
    return error if match is None else _OF_SCRIPT[match[1]](str(error))


def reason(error: BaseException) -> str:
    """Return the system's, TLS's or Redis's own words, without redis-py's."""
    if isinstance(error, Unavailable):
        return error.why
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return tls.reason(seen)
        if isinstance(seen, OSError) and seen.strerror:
            return f"[Errno {seen.errno}] {seen.strerror}"
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, TimeoutError):
        return "no answer in time"
    code = getattr(error, "status_code", None)
    return f"{code} {error}" if code and code != "ERR" else str(error) or "closed by the server"
