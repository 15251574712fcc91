"""`sandbox up`, `down`, `status`: start one server process in the background, find it, end it.

The listening socket is opened here and passed on, so a port in use is reported at once and nobody
can take the port in between. The server reports through a pipe; if it dies first, its log says why.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from typing import get_args

from opsctl_sandbox.errors import NotReady, SandboxError, UsageError
from opsctl_sandbox.process.home import Home, Sandbox, Settings, Tasks

_READY_WITHIN = 20.0
_STOP_WITHIN = 8.0
# Bytes that a sandbox writes before its first call: state, logs, an index of its cache.
_LEAST_ROOM = 64 * 1024
# These lead the docker CLI to its engine; without them, ~/.docker does.
_ENGINE = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


@dataclass(frozen=True)
class SandboxEvent:
    """One step. `sandbox` is set on the last one of `up`."""

    message: str
    sandbox: Sandbox | None = None


def up(
    home: Home, settings: Settings, environ: Mapping[str, str], *, port: int = 0
) -> Iterator[SandboxEvent]:
    """Start a sandbox. `environ` is the caller's; the server gets only a safe part of it."""
    _check(settings, port)
    running = home.running()
    if running is not None:
        raise SandboxError(
            f"sandbox `{home.name}` is already running on port {running.port} (pid {running.pid})",
            hint=f"opsctl sandbox env{home.option}, or another --name for one beside it",
        )
    yield from _swept(home)
    _prepare(home)
    with _listen(port) as listener:
        yield SandboxEvent(f"starting sandbox `{home.name}` on port {listener.getsockname()[1]}")
        process, ready = _spawn(home, settings, environ, listener)
    sandbox = _report(home, process, ready)
    cache = (
        "redis-server"
        if sandbox.redis
        else "no redis-server on this machine: nothing listens there"
    )
    yield SandboxEvent(f"cache endpoint 127.0.0.1:{sandbox.cache_port} ({cache})")
    if not sandbox.redis:
        yield SandboxEvent(
            "install redis-server and restart the sandbox, or use `redis ADDRESS testing` in the "
            "Caddyfile: each task then keeps its own map"
        )
    yield SandboxEvent(sandbox.because)
    yield SandboxEvent(f"ready: {sandbox.endpoint}", sandbox)


def down(home: Home, *, sleep: float = 0.02) -> Iterator[SandboxEvent]:
    """End the server with its children, and remove what it left in a Docker engine."""
    sandbox = home.running()
    if sandbox is None:
        where = f"sandbox `{home.name}` does not run in {home.root.absolute()}"
        yield from list(_swept(home)) or [SandboxEvent(f"{where}: nothing to stop")]
        return
    yield SandboxEvent(f"stopping sandbox `{home.name}` (pid {sandbox.pid})")
    with suppress(ProcessLookupError):  # it ended a moment ago
        os.kill(sandbox.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_WITHIN
    while home.running() is not None:
        if time.monotonic() > deadline:
            yield SandboxEvent("it does not stop; killing it")
            with suppress(ProcessLookupError):
                os.kill(sandbox.pid, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(sleep)
        # If this very process started it, nobody else reaps it.
        with suppress(ChildProcessError):
            os.waitpid(sandbox.pid, os.WNOHANG)
    yield from _swept(home)
    yield SandboxEvent("stopped")


def running(home: Home) -> Sandbox:
    sandbox = home.running()
    if sandbox is None:
        raise SandboxError(
            f"sandbox `{home.name}` is not running in {home.root.absolute()}",
            hint=f"opsctl sandbox up{home.option}",
        )
    return sandbox


def _check(settings: Settings, port: int) -> None:
    if not 0 <= port <= 65535:
        raise UsageError(
            f"not a port: {port}", hint="--port takes 1 to 65535, or 0 for a free port"
        )
    if settings.tasks not in get_args(Tasks):
        raise UsageError(f"--tasks is {', '.join(get_args(Tasks))}, not `{settings.tasks}`")
    if not 0 < settings.speed < float("inf"):
        raise UsageError(
            f"not a speed: --speed {settings.speed:g}", hint="--speed 60: an hour takes a minute"
        )
    if settings.max_processes < 1:
        raise UsageError(
            f"--max-processes {settings.max_processes} allows no tasks to run",
            hint="--max-processes 1 or more, or --tasks none",
        )


def _swept(home: Home) -> Iterator[SandboxEvent]:
    """Remove containers that the last server left, and say so.

    They are left when the server is killed, or when the engine stops while it runs.
    """
    try:
        count = _remove_leftovers(home)
    except SandboxError as error:
        yield SandboxEvent(f"{error.message}: what an earlier sandbox left there stays")
        return
    if count:
        yield SandboxEvent(f"removed {count} containers that an earlier sandbox left in the engine")


def _remove_leftovers(home: Home) -> int:
    """Remove leftover containers by their label and forget the last sandbox. Returns how many.

    Raises EngineError when the engine that it used does not answer any more.
    """
    last = home.last()
    if last is None or not last.engine:
        return 0
    # Imported late: the SDK is slow to import, and only sandboxes with containers need it.
    from opsctl_sandbox.host.containers import label
    from opsctl_sandbox.process import task_kind

    with closing(task_kind.engine_at(last.engine)) as engine:
        images = engine.remove_labelled(label(home.path))
        engine.remove_images(f"127.0.0.1:{last.port}", images)
    home.forget()
    return len(images)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise SandboxError(
            f"port {port} on 127.0.0.1 cannot be used: {error.strerror}",
            hint="choose another --port, or leave it out for a free one",
        ) from error
    return listener


def _prepare(home: Home) -> None:
    """Create the directory, and report at once if nothing can be written there."""
    try:
        home.make()
        (home.path / "tmp").mkdir(exist_ok=True)
        home.log.touch()
        home.log.chmod(0o600)
        home.log.write_bytes(b" " * _LEAST_ROOM)
        home.log.write_bytes(b"")
    except OSError as error:
        raise SandboxError(
            f"the sandbox cannot write to {home.path}: {error.strerror}",
            hint="run it in a directory that you may write to and that has room",
        ) from error


def _spawn(
    home: Home, settings: Settings, environ: Mapping[str, str], listener: socket.socket
) -> tuple[subprocess.Popen[bytes], int]:
    reader, writer = os.pipe()
    content = {
        "root": str(home.root.absolute()),
        "settings": asdict(settings),
        "engine": {name: environ[name] for name in _ENGINE if name in environ},
    }
    command = [sys.executable, "-m", "opsctl_sandbox", "serve", json.dumps(content)]
    with home.log.open("wb") as log:
        process = subprocess.Popen(
            [*command, str(listener.fileno()), str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(home, settings, environ, listener.getsockname()[1]),
            pass_fds=(listener.fileno(), writer),
            start_new_session=True,
            umask=0o077,
        )
    os.close(writer)
    return process, reader


def _environment(
    home: Home, settings: Settings, environ: Mapping[str, str], port: int
) -> dict[str, str]:
    """Return the environment that ministack imports with, without the caller's credentials."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "DOCKER_CONFIG")
    inherited = {name: environ[name] for name in kept if name in environ}
    return inherited | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "localhost",
        "MINISTACK_ACCOUNT_ID": settings.account,
        "MINISTACK_REGION": settings.region,
        "MINISTACK_WORKER_THREADS": "16",
        "STATE_DIR": str(home.path / "ministack"),
        "S3_DATA_DIR": str(home.path / "ministack" / "s3"),
        "TMPDIR": str(home.path / "tmp"),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        # ministack must not start containers: tasks and the cache are ours. The caller's engine is
        # an argument of our own server.
        "DOCKER_HOST": f"unix://{home.path}/no-engine-for-ministack",
        "LOG_LEVEL": "WARNING",
        "PYTHONDONTWRITEBYTECODE": environ.get("PYTHONDONTWRITEBYTECODE", ""),
    }


def _report(home: Home, process: subprocess.Popen[bytes], ready: int) -> Sandbox:
    """Wait for the server's one line: its state, or why it could not start."""
    with os.fdopen(ready, "rb") as pipe:
        if not select.select([pipe], [], [], _READY_WITHIN)[0]:
            process.kill()
            process.wait()
            raise NotReady(
                f"the sandbox was not ready within {_READY_WITHIN:.0f} s", hint=f"see {home.log}"
            )
        line = pipe.readline()
    if not line:
        process.wait()
        raise SandboxError(f"the sandbox ended while starting: {_last_line(home)}", hint=_log(home))
    content = json.loads(line)
    if "error" in content:
        process.wait()
        raise SandboxError(content["error"], hint=content["hint"])
    # The server outlives this process: setting the return code prevents Python's warning.
    process.returncode = 0
    sandbox = home.running()
    if sandbox is None:
        raise SandboxError(f"the sandbox ended at once: {_last_line(home)}", hint=_log(home))
    return sandbox


def _log(home: Home) -> str:
    return f"see {home.log}"


def _last_line(home: Home) -> str:
    lines = home.log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
