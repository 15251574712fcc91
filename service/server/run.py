"""Sockets, signals and uvicorn: every site of a Caddyfile on its port, in one process."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import uvicorn

from service.directives import SitePlan
from service.errors import StartError
from service.front.application import Application
from service.front.mounts import Mounted, Release, mount
from service.protocol import ServiceProtocol

# How long idle connections stay open once nothing is accepted any more: a request that is on its
# way is answered, and told that the connection closes, instead of being cut off.
LINGER = 1.0
KEEP_ALIVE = 75

Binding = tuple[str, int]


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
    """Several run in one loop, so that signals are `serve`'s business and not theirs."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def stop_accepting(self, sockets: Sequence[socket.socket]) -> None:
        """Close the listeners, but first take in whoever has connected already."""
        loop = asyncio.get_running_loop()
        spares = [one.dup() for one in sockets]
        for server in self.servers:
            server.close()
        for spare in spares:
            waiting = list(_accept_all(spare))
            spare.close()
            for connection in waiting:
                await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> ServiceProtocol:
        return ServiceProtocol(self.config, self.server_state, {})


def _accept_all(listening: socket.socket) -> Iterator[socket.socket]:
    listening.setblocking(False)
    with contextlib.suppress(OSError):
        while True:
            yield listening.accept()[0]


def bindings(texts: Sequence[str]) -> dict[int, Binding]:
    """`80=127.0.0.1:18080` -> {80: ("127.0.0.1", 18080)}; raises StartError."""
    found: dict[int, Binding] = {}
    for text in texts:
        port, equals, address = text.strip().partition("=")
        host, colon, bound = address.rpartition(":")
        if not (equals and colon and port.isdecimal() and bound.isdecimal() and int(bound) < 65536):
            raise StartError(f"'{text}' is not SITE_PORT=HOST:PORT, such as 80=127.0.0.1:18080")
        found[int(port)] = (host.strip("[]"), int(bound))
    return found


def bind(plans: Sequence[SitePlan], overrides: Mapping[int, Binding]) -> dict[int, socket.socket]:
    """One listening socket for each port that the sites have; raises StartError."""
    ports = sorted({plan.address.port for plan in plans})
    if unknown := sorted({*overrides} - {*ports}):
        raise StartError(f"no site has the port {unknown[0]}; there are {ports}")
    sockets: dict[int, socket.socket] = {}
    try:
        for port in ports:
            sockets[port] = _listen(*overrides.get(port, ("", port)))
    except StartError:
        for one in sockets.values():
            one.close()
        raise
    return sockets


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    everywhere = not host and socket.has_dualstack_ipv6()
    try:
        if everywhere:
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=2048
            )
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        where = f"{host}:{port}" if host else f"port {port}"
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StartError(f"cannot listen on {where}: {reason}") from None


async def serve(run: Run) -> None:
    """Until SIGTERM or SIGINT; then finish what runs, flush, and return."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    mounted = [mount(plan) for plan in run.plans]
    for one in mounted:
        one.site.container_metadata_uri = run.container_metadata_uri
    applications = _applications(mounted, run.release)
    try:
        for one in mounted:
            for start in one.site.startup:
                await start()
        await _serve_until(stop, applications, run)
    finally:
        for one in reversed(mounted):
            for shut in reversed(one.site.shutdown):
                await shut()


def _applications(mounted: Sequence[Mounted], release: Release) -> dict[int, Application]:
    by_port: dict[int, list[Mounted]] = {}
    for one in mounted:
        by_port.setdefault(one.site.port, []).append(one)
    return {port: Application(sites, release, mounted) for port, sites in by_port.items()}


async def _serve_until(
    stop: asyncio.Event, applications: Mapping[int, Application], run: Run
) -> None:
    servers = [_Server(_config(one, run.stop_timeout)) for one in applications.values()]
    tasks = [
        asyncio.create_task(server.serve([run.sockets[port]]))
        for server, port in zip(servers, applications, strict=True)
    ]
    gc.collect()
    gc.freeze()  # what is here now stays: the collector need not look at it again,
    gc.set_threshold(10_000, 20, 50)  # and requests leave hardly anything behind to look for
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for server, port in zip(servers, applications, strict=True):
        if server.started:
            await server.stop_accepting([run.sockets[port]])
    for application in applications.values():
        application.draining = True
    await _until_idle(servers, LINGER)
    for server in servers:
        server.should_exit = True
    stopped.cancel()
    await asyncio.gather(*tasks)


async def _until_idle(servers: Sequence[_Server], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while any(server.server_state.connections for server in servers):
                await asyncio.sleep(0.02)


def _config(application: Application, stop_timeout: float) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=ServiceProtocol,
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, int(stop_timeout)),
    )
