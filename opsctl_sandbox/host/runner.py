"""Run tasks for real: each is a copy of its image, a process or a container.

Tasks of one definition share copies once there are enough of them, because eight Pythons are heavy
on a small machine. A shared copy ends with its last task, and its tasks end with it.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from opsctl_sandbox.cluster.intents import StartTask
from opsctl_sandbox.errors import SandboxError

log = logging.getLogger(__name__)

_LISTENS_WITHIN = 15.0
_CLOSE_WITHIN = 1.0


@dataclass(frozen=True)
class Usage:
    """CPU seconds used in total, MiB used now."""

    seconds: float
    megabytes: float


class Copy(Protocol):
    """One started process or container."""

    @property
    def key(self) -> str:
        """Identifies it among all copies."""

    @property
    def ended(self) -> bool: ...

    def lines(self) -> AsyncIterator[str]:
        """Yield what it writes, until it ends."""

    async def wait(self) -> tuple[int, str]:
        """Wait for its end, and return (exit code, reason or ''). A killed one has 128 + the
        signal's number.
        """

    async def end(self, within: float) -> None:
        """Ask it to stop and kill it after `within` wall seconds. Returns when it has ended."""

    async def usage(self) -> Usage | None:
        """Return what it uses, or None when that is not known."""


class Launcher(Protocol):
    async def launch(self, intent: StartTask, ports: Mapping[int, int]) -> Copy:
        """Start a copy, with each container port on the loopback port in `ports`.

        Raises SandboxError with the reason, in ECS's words where it has some.
        """

    async def close(self) -> None:
        """Called once every copy has ended."""


@dataclass(frozen=True)
class Outcome:
    """What the tasks report to the simulation. Called on the event loop."""

    started: Callable[[str], None]
    exited: Callable[[str, int, str], None]
    refused: Callable[[str, str], None]
    wrote: Callable[[str, str], None]


@dataclass(eq=False)
class Run:
    """One copy, its tasks (oldest first), and its real ports.

    `settled` is set once the copy was started or given up, `listening` once it can be used.
    """

    definition: str
    tasks: list[str]
    wanted: bool = True
    ports: Mapping[int, int] = field(default_factory=dict)
    copy: Copy | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    listening: asyncio.Event = field(default_factory=asyncio.Event)


class Runner:
    def __init__(self, launcher: Launcher, *, limit: int, outcome: Outcome) -> None:
        """`limit` is the number of copies during a rollout, when two definitions run at once."""
        self._launcher = launcher
        self._share = max(1, limit // 2)
        self._outcome = outcome
        self._pool: list[Run] = []
        self._starting = asyncio.Semaphore(1)  # one at a time: a starting Python takes a whole core
        self._jobs: set[asyncio.Task[None]] = set()

    def start(self, intent: StartTask) -> None:
        """Give the task a copy, new or shared; `outcome` is called later."""
        same = [one for one in self._pool if one.definition == intent.definition.arn]
        if len(same) >= self._share:
            run = min(same, key=lambda one: len(one.tasks))
            run.tasks.append(intent.task)
            self._job(self._join(run, intent.task))
        else:
            run = Run(intent.definition.arn, [intent.task])
            self._pool.append(run)
            self._job(self._run(run, intent))

    def stop(self, task: str, within: float) -> None:
        """Stop the task. Its copy gets TERM when no other task needs it."""
        run = self._of(task)
        if run is None:
            self._outcome.exited(task, 0, "")
            return
        if len(run.tasks) > 1:
            run.tasks.remove(task)
            self._outcome.exited(task, 0, "")
            return
        self._pool.remove(run)
        run.wanted = False
        self._job(self._end(run, within))

    def address(self, task: str, container_port: int) -> tuple[str, int] | None:
        run = self._of(task)
        port = run.ports.get(container_port) if run else None
        return ("127.0.0.1", port) if port else None

    def running(self) -> list[tuple[Copy, list[str]]]:
        """Return every live copy and its tasks."""
        live = [(one.copy, one.tasks) for one in self._pool]
        return [(copy, list(tasks)) for copy, tasks in live if copy is not None and not copy.ended]

    async def close(self) -> None:
        """End all copies at once."""
        ends = [one.copy.end(_CLOSE_WITHIN) for one in self._pool if one.copy is not None]
        await asyncio.gather(*ends, return_exceptions=True)
        for job in list(self._jobs):
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        await self._launcher.close()

    def _of(self, task: str) -> Run | None:
        return next((one for one in self._pool if task in one.tasks), None)

    def _job(self, work: Awaitable[None]) -> None:
        job = asyncio.ensure_future(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _join(self, run: Run, task: str) -> None:
        await run.listening.wait()
        if run.copy is not None and not run.copy.ended:
            self._outcome.started(task)

    async def _run(self, run: Run, intent: StartTask) -> None:
        try:
            async with self._starting:
                # It may have been stopped while others were starting.
                copy = await self._begin(run, intent) if run.wanted else None
            if copy is None:
                self._over(run, 0, "")
                return
            async for line in copy.lines():
                if run.tasks:
                    self._outcome.wrote(run.tasks[0], line)
            self._over(run, *await copy.wait())
        except (SandboxError, OSError) as error:
            self._failed(run, str(error))
        except Exception as error:
            # Without an outcome CloudFormation would wait for the task until its time-out.
            log.exception("a task could not be started")
            self._failed(run, repr(error))
        finally:
            run.settled.set()
            run.listening.set()

    async def _begin(self, run: Run, intent: StartTask) -> Copy:
        run.ports = {inside: _free_port() for _, inside, _ in intent.host_ports}
        copy = await self._launcher.launch(intent, run.ports)
        run.copy = copy
        run.settled.set()
        for task in list(run.tasks)[:1]:
            self._outcome.started(task)
        await _until_listening(copy, run.ports)
        run.listening.set()
        return copy

    async def _end(self, run: Run, within: float) -> None:
        await run.settled.wait()
        if run.copy is not None:
            await run.copy.end(within)

    def _failed(self, run: Run, reason: str) -> None:
        if run.copy is not None:
            self._over(run, 1, reason)
            return
        self._forget(run)
        for task in run.tasks:
            self._outcome.refused(task, reason)

    def _over(self, run: Run, code: int, reason: str) -> None:
        self._forget(run)
        for task in run.tasks:
            self._outcome.exited(task, code, reason)

    def _forget(self, run: Run) -> None:
        if run in self._pool:
            self._pool.remove(run)


async def _until_listening(copy: Copy, ports: Mapping[int, int]) -> None:
    """Wait until the first port answers, the copy ends, or it takes too long."""
    deadline = asyncio.get_running_loop().time() + _LISTENS_WITHIN
    while ports and not copy.ended and asyncio.get_running_loop().time() < deadline:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", next(iter(ports.values())))
            writer.close()
            return
        await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
