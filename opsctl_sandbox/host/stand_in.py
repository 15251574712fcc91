"""One server that answers behind the load balancer for all simulated tasks."""

import asyncio

from opsctl_sandbox.host.balancer import Address

_BODY = b"a task of the simulation\n"
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)


class StandIn:
    def __init__(self) -> None:
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(_answer, "127.0.0.1", 0)

    @property
    def address(self) -> Address | None:
        if self._server is None:
            return None
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while (await reader.readline()).strip():
        pass
    writer.write(_ANSWER)
    writer.close()
