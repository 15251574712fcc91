"""The network load balancer: a TCP proxy on loopback that routes to healthy targets.

A connection keeps its target until one side closes it. A draining target gets no new connections.
Like an NLB it fails open: without a healthy target, all registered ones are tried.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace

Address = tuple[str, int]
Key = tuple[str, str, int]  # target group ARN, instance id, port
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Route:
    """A registered target: its real address, and whether it may get connections."""

    address: Address
    healthy: bool = False


class Routes:
    """The registered targets of every target group, without draining ones."""

    def __init__(self) -> None:
        self._routes: dict[Key, Route] = {}
        self._turn = 0

    def register(self, key: Key, address: Address) -> None:
        self._routes[key] = Route(address)

    def deregister(self, key: Key) -> None:
        self._routes.pop(key, None)

    def judge(self, key: Key, *, healthy: bool) -> None:
        if key in self._routes:
            self._routes[key] = replace(self._routes[key], healthy=healthy)

    def candidates(self, target_group: str) -> list[Address]:
        """Return the targets to try for the next connection, best first."""
        routes = [one for key, one in self._routes.items() if key[0] == target_group]
        usable = [one for one in routes if one.healthy] or routes
        if not usable:
            return []
        self._turn += 1
        first = self._turn % len(usable)
        return [one.address for one in usable[first:] + usable[:first]]


@dataclass
class Flows:
    """The traffic of one load balancer: connections open now, connections made and bytes so far."""

    active: int = 0
    new: int = 0
    bytes: int = 0


class Balancer:
    """One listening socket per load balancer; `target_group` is called at each connection."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes
        self.flows: dict[str, Flows] = {}
        self._servers: dict[str, asyncio.Server] = {}
        self._connections: set[asyncio.Task[None]] = set()

    async def listen(
        self, name: str, listener: socket.socket, target_group: Callable[[], str | None]
    ) -> None:
        flows = self.flows.setdefault(name, Flows())

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
            flows.new += 1
            flows.active += 1
            try:
                await self._carry(target_group(), reader, writer, flows)
            finally:
                flows.active -= 1

        self._servers[name] = await asyncio.start_server(connected, sock=listener, backlog=512)

    def forget(self, name: str) -> None:
        """Close a removed load balancer's socket; its open connections end by themselves."""
        self.flows.pop(name, None)
        if server := self._servers.pop(name, None):
            server.close()

    async def close(self) -> None:
        for name in list(self._servers):
            self.forget(name)
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _carry(
        self,
        group: str | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        flows: Flows,
    ) -> None:
        upstream = await self._connect(group)
        if upstream is None:
            writer.transport.abort()
            return
        target_reader, target_writer = upstream
        try:
            await asyncio.gather(
                _pump(reader, target_writer, flows), _pump(target_reader, writer, flows)
            )
        finally:
            for side in (target_writer, writer):
                side.close()
                with contextlib.suppress(OSError):
                    await side.wait_closed()

    async def _connect(
        self, group: str | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for host, port in self.routes.candidates(group) if group else ():
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(5):
                    return await asyncio.open_connection(host, port)
        return None


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, flows: Flows) -> None:
    with contextlib.suppress(OSError):
        while content := await source.read(_CHUNK):
            flows.bytes += len(content)
            sink.write(content)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
