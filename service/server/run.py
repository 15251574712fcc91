"""Signals and uvicorn: serve every site of a Caddyfile on its port, in one process."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import uvicorn

from service.chain import in_thread
from service.directives import SitePlan
from service.front.application import Application
from service.front.mounts import Mounted, Release, mount
from service.protocol.connection import Connection
from service.protocol.port import Port
from service.protocol.room import Room
from service.server.sockets import accept_all, listen
from service.server.supervisor import unblock_stops

_log = logging.getLogger(__name__)

# Seconds that idle connections stay open after the service stops accepting: a request under way is
# answered with `Connection: close` instead of being cut off.
LINGER = 1.0


@dataclass(frozen=True, slots=True)
class Run:
    plans: tuple[SitePlan, ...]
    release: Release
    sockets: Mapping[int, socket.socket]
    stop_timeout: float
    container_metadata_uri: str = ""

    def close(self) -> None:
        for one in self.sockets.values():
            one.close()


class _Server(uvicorn.Server):
    """A server that leaves signals to `serve`, because several run in one loop."""

    def __init__(self, port: Port, stop_timeout: float) -> None:
        self.connection = partial(Connection, port)
        super().__init__(
            uvicorn.Config(
                port.application,
                http=self.connection,  # type: ignore[arg-type] # any callable that makes one
                ws="none",
                interface="asgi3",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=max(1, int(stop_timeout)),
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def stop_accepting(self, sockets: Sequence[socket.socket]) -> None:
        """Close the listeners, after accepting clients that have already connected."""
        loop = asyncio.get_running_loop()
        spares = [one.dup() for one in sockets]
        for server in self.servers:
            server.close()
        for spare in spares:
            waiting = list(accept_all(spare))
            spare.close()
            for connection in waiting:
                await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> Connection:
        return self.connection(self.config, self.server_state, {})


async def serve(run: Run, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGTERM or SIGINT, which are handled from the first moment. Raises StartError.

    `ready` is called when clients may connect.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    unblock_stops()
    mounted: list[Mounted] = []
    stopped = asyncio.create_task(stop.wait())
    try:
        starting = asyncio.create_task(_start(run, mounted))
        await asyncio.wait([stopped, starting], return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return
        starting.result()
        await _serve_until(stopped, _ports(mounted, run.release), run, ready)
    finally:
        stopped.cancel()
        await shut_down(mounted)


async def shut_down(mounted: Sequence[Mounted]) -> None:
    """Run every part's shutdown, the last one first. One that fails is logged and stops no other:
    the logs, for instance, have lines to send.
    """
    for one in reversed(mounted):
        for shut in reversed(one.site.shutdown):
            try:
                await shut()
            except Exception:
                _log.exception("port %d: a part did not shut down cleanly", one.site.port)


async def _start(run: Run, mounted: list[Mounted]) -> None:
    """Start in a thread, because AWS may be slow to return secrets."""
    mounted += await in_thread(lambda: [mount(plan) for plan in run.plans])
    for one in mounted:
        one.site.container_metadata_uri = run.container_metadata_uri
        for start in one.site.startup:
            await start()


def _ports(mounted: Sequence[Mounted], release: Release) -> dict[int, Port]:
    by_port: dict[int, list[Mounted]] = {}
    for one in mounted:
        by_port.setdefault(one.site.port, []).append(one)
    room = Room()
    return {
        port: Port(Application(sites, release, mounted), room=room)
        for port, sites in by_port.items()
    }


async def _serve_until(
    stopped: "asyncio.Task[bool]", ports: Mapping[int, Port], run: Run, ready: Callable[[], None]
) -> None:
    listen(run.sockets)
    servers = {number: _Server(port, run.stop_timeout) for number, port in ports.items()}
    tasks = [
        asyncio.create_task(server.serve([run.sockets[number]]))
        for number, server in servers.items()
    ]
    gc.collect()
    gc.freeze()  # everything that exists now stays, so the collector need not look at it again,
    gc.set_threshold(10_000, 20, 50)  # and requests leave hardly any garbage
    ready()
    await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for number, server in servers.items():
        if server.started:
            await server.stop_accepting([run.sockets[number]])
    for port in ports.values():
        port.application.draining = True
    await _until_idle(list(servers.values()), LINGER)
    for server in servers.values():
        server.should_exit = True
    await asyncio.gather(*tasks)


async def _until_idle(servers: Sequence[_Server], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while any(server.server_state.connections for server in servers):
                await asyncio.sleep(0.02)
