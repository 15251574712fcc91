"""The sandbox's server process: lock, cache, ministack behind our front, one listening socket."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import uvicorn

from opsctl.errors import OpsError
from opsctl.sandbox.admin import Admin
from opsctl.sandbox.cache import Cache
from opsctl.sandbox.faults import Faults
from opsctl.sandbox.front import Front
from opsctl.sandbox.home import Home, Sandbox, Settings


def run(
    home: Home,
    settings: Settings,
    listener: socket.socket,
    environ: Mapping[str, str],
    ready: Callable[[Sandbox], None],
) -> None:
    """Serve until SIGTERM; `ready` is told once calls are answered."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    home.lock()
    try:
        # Imported late: ministack reads its environment on import and takes a third of a second.
        from ministack.app import app as ministack

        from opsctl.sandbox import account, resources
        from opsctl.sandbox.cluster.engine import Engine
        from opsctl.sandbox.operations import cloudformation
        from opsctl.sandbox.operations import table as simulated
        from opsctl.sandbox.operations.simulation import Simulation, real_time
        from opsctl.sandbox.repairs import table
    except ImportError as error:
        raise OpsError(
            f"the sandbox is not installed: {error}", hint='pip install "opsctl[sandbox]"'
        ) from error
    with Cache(home.path, environ) as cache:
        registry = f"127.0.0.1:{listener.getsockname()[1]}"
        account.seed(cache_port=cache.port, registry=registry)
        resources.add()
        engine = Engine(settings.seed, account=settings.account, region=settings.region)
        simulation = Simulation(engine, speed=settings.speed, clock=real_time)
        cloudformation.install(simulation)
        faults = Faults(home.path / "faults.json", seed=settings.seed)
        front = Front(
            ministack,
            {**table.operations(registry), **simulated.operations(simulation)},
            faults=faults,
            admin=Admin(faults),
            account=settings.account,
        )
        sandbox = Sandbox(
            settings=settings,
            pid=os.getpid(),
            port=listener.getsockname()[1],
            cache_port=cache.port,
            redis=cache.redis,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        asyncio.run(_serve(front, listener, lambda: _announce(home, sandbox, ready)))


def _announce(home: Home, sandbox: Sandbox, ready: Callable[[Sandbox], None]) -> None:
    home.write(sandbox)
    ready(sandbox)


async def _serve(front: Front, listener: socket.socket, started: Callable[[], None]) -> None:
    config = uvicorn.Config(
        front,
        log_config=None,
        access_log=False,
        lifespan="on",
        # A live tail never ends by itself.
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if server.started:
        started()
    await serving
