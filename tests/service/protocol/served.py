"""One port on the loopback, in this process: by the short way, or by uvicorn's class alone."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import uvicorn
from uvicorn.server import ServerState

from service import caddyfile, directives
from service.front.application import Application
from service.front.mounts import Mounted, Release, mount
from service.protocol.connection import Connection
from service.protocol.port import Port
from service.protocol.room import Room

CADDYFILE = """
:8082 {
 redir /elsewhere /somewhere?{query}
 transformrequest {
  scope off
 }
 redis localhost:6379 testing
 transformresponse
}
"""


def mounted(text: str = CADDYFILE) -> list[Mounted]:
    plans = directives.plan(caddyfile.parse(text, "Caddyfile", environment={}))
    return [mount(plan) for plan in plans]


@asynccontextmanager
async def served(
    sites: list[Mounted] | None = None,
    *,
    short_way: bool = True,
    room: Room | None = None,
    state: ServerState | None = None,
) -> AsyncIterator[tuple[int, Port]]:
    """Its number, and what its connections share."""
    sites = mounted() if sites is None else sites
    application = Application(sites, Release.of("", version="0", commit="x"), sites)
    port = Port(application, room=room, short_way=short_way)
    config = uvicorn.Config(application, ws="none", interface="asgi3", log_config=None)
    state = state or ServerState()
    state.default_headers = [(b"date", b"today")]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: partial(Connection, port)(config, state, {}), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1], port
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)


async def exchange(
    port: int, pieces: list[bytes], *, half_close: bool = False, patience: float = 0.15
) -> bytes:
    """All that is answered, until the connection is closed or silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)
        if half_close:
            writer.write_eof()
        while True:
            async with asyncio.timeout(patience):
                data = await reader.read(65536)
            if not data:
                return answered + b"<closed>"
            answered += data
    except (TimeoutError, OSError, RuntimeError):  # the last is uvloop's of a closed transport
        return answered
    finally:
        writer.transport.abort()


def alike(answered: bytes) -> bytes:
    """Without what differs from request to request."""
    answered = re.sub(rb"[0-9a-f]{12}-[0-9a-f]+", b"ID", answered)
    return re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"NOW", answered)


class Slow(asyncio.Transport):
    """A client that has taken `read` of what was written."""

    def __init__(self, address: str = "") -> None:
        super().__init__({"peername": (address, 1)})
        self.written = b""
        self.read = 0
        self.ended = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return len(self.written) - self.read

    def is_closing(self) -> bool:
        return bool(self.ended)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None: ...

    def abort(self) -> None:
        self.ended = "aborted"

    def close(self) -> None:
        self.ended = "closed"

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def connection(room: Room | None = None, address: str = "") -> tuple[Connection, Slow, float]:
    """One that nobody is at the other end of, and the loop's time."""
    sites = mounted()
    application = Application(sites, Release.of("", version="0", commit="x"), sites)
    config = uvicorn.Config(application, ws="none", interface="asgi3", log_config=None)
    loop = asyncio.get_running_loop()
    port = Port(application, room=room)
    made, wire = Connection(port, config, ServerState(), {}, loop), Slow(address)
    made.connection_made(wire)
    return made, wire, loop.time()
