"""One connection to Redis that everybody shares.

The commands of one turn of the event loop leave in one write, and replies are matched to them in
order. Measured against a pool of redis-py: a third of the client's CPU, a quarter of the server's.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis

from service.stores.store import Unavailable

# Errors that mean "not this server, not now" rather than "not this command". Redis 6 wraps those
# that a script got.
_AWAY = re.compile(
    "(?:ERR Error running script .*-)?"
    "(?:READONLY|LOADING|MASTERDOWN|NOAUTH|WRONGPASS|MOVED|CLUSTERDOWN)\\b"
)


class Connection(asyncio.Protocol):
    """`lost` is called once, when the connection is closed by anybody but `close`.

    A server that answers nothing for `timeout` seconds while commands wait counts as lost.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeout: float,
        lost: Callable[["Connection", str], None],
    ) -> None:
        self._loop = loop
        self._timeout = timeout
        self._lost: Callable[[Connection, str], None] | None = lost
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._outgoing: list[bytes] = []
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._progress = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self.commands = 0

    @property
    def closed(self) -> bool:
        return self._lost is None

    def call(self, *command: bytes) -> asyncio.Future[Any]:
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(hiredis.pack_command(cast(Any, command)))
        future = self._loop.create_future()
        self._waiting.append(future)
        self.commands += 1
        return future

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is None or self._transport.is_closing():
            self._fail("closed")  # lost since the call
            return
        if self._watch is None:
            self._progress = self._loop.time()
            self._watch = self._loop.call_later(self._timeout, self._look)
        self._transport.write(b"".join(outgoing))

    def _look(self) -> None:
        self._watch = None
        if not self._waiting:
            return
        silent = self._loop.time() - self._progress
        if silent < self._timeout:
            self._watch = self._loop.call_later(self._timeout - silent, self._look)
        else:
            # It may be this loop that was slow and not the server: read once more, then judge.
            self._watch = self._loop.call_later(0.002, self._judge, self._progress)

    def _judge(self, progress: float) -> None:
        self._watch = None
        if self._progress == progress:
            self._fail(f"no reply within {self._timeout:g} s")
        elif self._waiting:
            self._watch = self._loop.call_later(self._timeout, self._look)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._progress = self._loop.time()
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                future = self._waiting.popleft()
                if future.done():
                    continue
                if isinstance(reply, hiredis.ReplyError):
                    self._refuse(future, reply)
                else:
                    future.set_result(reply)
        except (hiredis.ProtocolError, IndexError) as error:
            self._fail(f"not a Redis: {error}")

    def _refuse(self, future: asyncio.Future[Any], error: hiredis.ReplyError) -> None:
        if _AWAY.match(str(error)):
            future.set_exception(Unavailable(str(error)))
            self._fail(str(error))
        else:
            future.set_exception(error)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(str(error) if error else "closed by the server")

    def close(self) -> None:
        self._lost = None
        self._fail("closed")

    def _fail(self, why: str) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(Unavailable(why))
        if self._transport is not None:
            self._transport.abort()
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(self, why)
