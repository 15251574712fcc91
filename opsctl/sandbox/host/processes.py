"""Tasks as real processes: `python -m service run` with the image's files and the task's
environment, each container port on a free port of loopback.

Tasks of one definition share processes once there are enough of them: eight Pythons are heavy on a
small machine. A shared process ends with its last task, and its tasks end with it.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from opsctl.errors import OpsError
from opsctl.sandbox import children, image
from opsctl.sandbox.cluster.values import StartTask

log = logging.getLogger(__name__)

_LISTENS_WITHIN = 15.0


@dataclass
class Process:
    """One running process, the tasks it stands for, oldest first, and its real ports."""

    definition: str
    tasks: list[str]
    ports: Mapping[int, int] = field(default_factory=dict)
    child: asyncio.subprocess.Process | None = None
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    exit_code: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What the processes tell the simulation. Called on the event loop."""

    started: Callable[[str], None]
    exited: Callable[[str, int, str], None]
    refused: Callable[[str, str], None]
    wrote: Callable[[str, str], None]


class Processes:
    def __init__(
        self,
        directory: Path,
        *,
        registry: str,
        environ: Mapping[str, str],
        limit: int,
        environment: Callable[[StartTask], Awaitable[Mapping[str, str]]],
        outcome: Outcome,
    ) -> None:
        """`limit` counts processes during a rollout, when two definitions run at once."""
        self._directory = directory
        self._registry = registry
        self._environ = environ
        self._share = max(1, limit // 2)
        self._environment = environment
        self._outcome = outcome
        self._pool: list[Process] = []
        self._starting = asyncio.Semaphore(1)  # staggered: a starting Python takes a whole core
        self._jobs: set[asyncio.Task[None]] = set()

    def start(self, intent: StartTask) -> None:
        """Give the task a process, new or shared; `started` or `exited` is told later."""
        same = [one for one in self._pool if one.definition == intent.definition.arn]
        if len(same) >= self._share:
            process = min(same, key=lambda one: len(one.tasks))
            process.tasks.append(intent.task)
            self._job(self._join(process, intent.task))
        else:
            process = Process(intent.definition.arn, [intent.task])
            self._pool.append(process)
            self._job(self._run(process, intent))

    def stop(self, task: str, within: float) -> None:
        """Stop the task; its process gets TERM when no other task needs it."""
        process = self.of(task)
        if process is None:
            self._outcome.exited(task, 0, "")
            return
        if len(process.tasks) > 1:
            process.tasks.remove(task)
            self._outcome.exited(task, 0, "")
            return
        self._pool.remove(process)
        self._job(self._end(process, within))

    def of(self, task: str) -> Process | None:
        return next((one for one in self._pool if task in one.tasks), None)

    def address(self, task: str, container_port: int) -> tuple[str, int] | None:
        process = self.of(task)
        port = process.ports.get(container_port) if process else None
        return ("127.0.0.1", port) if port else None

    def running(self) -> list[tuple[int, list[str]]]:
        """(pid, its tasks) of every live process."""
        live = [(one.child, one.tasks) for one in self._pool if one.exit_code is None]
        return [(child.pid, list(tasks)) for child, tasks in live if child is not None]

    async def close(self) -> None:
        for process in self._pool:
            if process.child is not None:
                await self._end(process, 1.0)
        for job in list(self._jobs):
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)

    def _job(self, work: Awaitable[None]) -> None:
        job = asyncio.ensure_future(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _join(self, process: Process, task: str) -> None:
        await process.listening.wait()
        if process.exit_code is None:
            self._outcome.started(task)

    async def _run(self, process: Process, intent: StartTask) -> None:
        try:
            async with self._starting:
                await self._spawn(process, intent)
                assert process.child is not None
                for task in list(process.tasks)[:1]:
                    self._outcome.started(task)
                await _until_listening(process)
            process.listening.set()
            await self._follow(process)
        except (OpsError, OSError) as error:
            self._refused(process, str(error))
        except Exception as error:
            # A task that nobody answers for would be waited for until CloudFormation gives up.
            log.exception("a task could not be started")
            self._refused(process, repr(error))

    async def _spawn(self, process: Process, intent: StartTask) -> None:
        files = await asyncio.to_thread(self._files, intent)
        process.ports = {inside: _free_port() for _, inside, _ in intent.host_ports}
        listen = [f"{inside}=127.0.0.1:{port}" for inside, port in process.ports.items()]
        options = [word for one in listen for word in ("--listen", one)]
        command = [sys.executable, "-m", "service", "run", "--config", "Caddyfile", *options]
        given = await self._environment(intent)
        process.child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=files,
            env={**self._environ, **given, "PYTHONUNBUFFERED": "1"},
            preexec_fn=children.leash(),
        )

    def _files(self, intent: StartTask) -> Path:
        """The image's `/app`; images are content, so each is unpacked once."""
        container = intent.definition.containers[0]
        reference = dict(intent.images).get(container["name"], str(container["image"]))
        name = "".join(letter if letter.isalnum() else "-" for letter in reference)
        directory = self._directory / name[-80:]
        if not (directory / "Caddyfile").exists() or "@" not in reference:
            directory.mkdir(parents=True, exist_ok=True)
            image.unpack(self._registry, reference, directory)
        if not (directory / "Caddyfile").exists():
            raise OpsError(f"the image {reference} holds no /app/Caddyfile")
        return directory

    async def _follow(self, process: Process) -> None:
        child = process.child
        assert child is not None and child.stdout is not None
        with contextlib.suppress(ValueError):  # a line over the limit of the stream reader
            async for line in child.stdout:
                if process.tasks:
                    text = line.decode(errors="replace").rstrip()
                    self._outcome.wrote(process.tasks[0], text)
        self._ended(process, await child.wait(), "")

    def _refused(self, process: Process, reason: str) -> None:
        process.exit_code = 1
        process.listening.set()
        if process in self._pool:
            self._pool.remove(process)
        for task in process.tasks:
            self._outcome.refused(task, reason)

    def _ended(self, process: Process, code: int, reason: str) -> None:
        process.exit_code = code
        process.listening.set()
        if process in self._pool:
            self._pool.remove(process)
        for task in process.tasks:
            # A signal is 128 + its number to a container's engine.
            self._outcome.exited(task, code if code >= 0 else 128 - code, reason)

    async def _end(self, process: Process, within: float) -> None:
        child = process.child
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(child.wait(), within)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


async def _until_listening(process: Process) -> None:
    """Until the first port answers, the process ends, or it is taking too long to wait for."""
    child = process.child
    assert child is not None
    deadline = asyncio.get_running_loop().time() + _LISTENS_WITHIN
    while child.returncode is None and asyncio.get_running_loop().time() < deadline:
        with contextlib.suppress(OSError):
            port = next(iter(process.ports.values()))
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
