"""The sandbox's server process: lock, cache, ministack behind our front, one listening socket."""

import asyncio
import json
import logging
import os
import secrets
import shutil
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from opsctl_sandbox.errors import SandboxError
from opsctl_sandbox.host.caches import Caches
from opsctl_sandbox.host.redis_server import RedisServer
from opsctl_sandbox.process.home import Home, Sandbox, Settings
from opsctl_sandbox.process.task_kind import TaskKind, choose

if TYPE_CHECKING:
    from opsctl_sandbox.process.assembly import Assembly

log = logging.getLogger(__name__)


def main(content: str, listener: int, report: int) -> int:
    """Run as the process that `lifecycle.up` starts. Both numbers are open file descriptors.

    `report` gets one line: that calls are answered, or why the server cannot start.
    """
    options = json.loads(content)
    settings = Settings(**options["settings"])
    home = Home(Path(options["root"]), settings.name)
    pipe = os.fdopen(report, "w")

    def write(line: dict[str, object]) -> None:
        with pipe:
            pipe.write(json.dumps(line) + "\n")

    def ready(sandbox: Sandbox) -> None:
        write({"pid": sandbox.pid})

    try:
        choice = choose(settings.tasks, options["engine"])
        run(home, settings, choice, socket.socket(fileno=listener), dict(os.environ), ready)
    except SandboxError as error:
        write({"error": error.message, "hint": error.hint})
        return error.exit_code
    except BrokenPipeError:  # the process that started it is gone
        return 1
    return 0


def run(
    home: Home,
    settings: Settings,
    choice: TaskKind,
    listener: socket.socket,
    environ: Mapping[str, str],
    ready: Callable[[Sandbox], None],
) -> None:
    """Serve until SIGTERM. `ready` is called once calls are answered."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    home.lock()
    _forget_the_last(home)
    try:
        # Imported late: ministack reads its environment at import and takes a third of a second.
        from opsctl_sandbox.process.assembly import Assembly
    except ImportError as error:
        raise SandboxError(
            f"the sandbox is not installed: {error}", hint="pipx install '.[sandbox]'"
        ) from error
    with RedisServer(home.path / "redis", environ) as cache:
        port = listener.getsockname()[1]
        sandbox = Sandbox(
            settings=replace(settings, tasks=choice.tasks),
            pid=os.getpid(),
            port=port,
            cache_port=cache.port,
            redis=cache.redis,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            secret=secrets.token_hex(20),
            because=choice.because,
            engine=choice.engine.where if choice.engine else "",
        )
        with Caches(cache, home.path / "redis", environ) as caches:
            assembly = Assembly(sandbox, home.path, environ, choice.engine, caches)
            asyncio.run(serve(assembly, listener, lambda: _announce(home, sandbox, ready)))


def _forget_the_last(home: Home) -> None:
    """Delete the files of an earlier life, because a sandbox begins empty.

    Above all its state, which would be trusted while the lock is held.
    """
    (home.path / "state.json").unlink(missing_ok=True)
    for name in ("images", "ministack", "redis"):
        shutil.rmtree(home.path / name, ignore_errors=True)
    for left in (home.path / "tmp").iterdir():
        shutil.rmtree(left, ignore_errors=True)
        left.unlink(missing_ok=True)


def _announce(home: Home, sandbox: Sandbox, ready: Callable[[Sandbox], None]) -> None:
    home.write(sandbox)
    ready(sandbox)


async def serve(assembly: "Assembly", listener: socket.socket, started: Callable[[], None]) -> None:
    """Serve until SIGTERM or the end of the simulation.

    `started` is called once calls are answered.
    """
    config = uvicorn.Config(
        assembly.front,
        log_config=None,
        access_log=False,
        lifespan="on",
        # A live tail never ends by itself.
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
    )
    # uvicorn raises the signal that stopped it once more; the tasks must end after that.
    signal.signal(signal.SIGTERM, lambda *_: None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    assembly.dns_names.start()
    running = asyncio.create_task(assembly.host.run())
    running.add_done_callback(lambda done: _end_with_the_clock(server, done))
    if server.started:
        try:
            started()
        except BrokenPipeError:  # the process that started it was killed
            server.should_exit = True
    await serving
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _end_with_the_clock(server: uvicorn.Server, running: "asyncio.Task[None]") -> None:
    """Stop the server: with a stopped clock, every command would wait for ever."""
    if not running.cancelled() and (error := running.exception()):
        log.error("the simulation ended", exc_info=error)
        server.should_exit = True
