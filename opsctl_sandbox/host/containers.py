"""Run tasks as containers of the pushed image, on this machine's Docker engine.

Containers are not child processes, so the kernel does not end them. Their label lets the next `up`
or `down` find what a killed sandbox left.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl_sandbox import images
from opsctl_sandbox.cluster.intents import StartTask
from opsctl_sandbox.errors import SandboxError
from opsctl_sandbox.host import container_options
from opsctl_sandbox.host.runner import Usage

if TYPE_CHECKING:
    from opsctl_sandbox.host.container_engine import ContainerEngine

log = logging.getLogger(__name__)

_TASK_LABEL = "io.opsctl.task"
_GONE_WITHIN = 3.0


def label(home: Path) -> tuple[str, str]:
    """Return the label of every container of the sandbox in this directory."""
    return "io.opsctl.sandbox", str(home)


class Containers:
    """Launches containers.

    `registry` is this sandbox's HOST:PORT, from which images are pulled with the `password` of a
    login. `prefix` begins the containers' names; it must differ for each life of each sandbox.
    """

    def __init__(
        self,
        engine: "ContainerEngine",
        *,
        home: Path,
        prefix: str,
        registry: str,
        password: str,
        environment: Callable[[StartTask], Awaitable[Mapping[str, str]]],
    ) -> None:
        self._engine = engine
        self._label = label(home)
        self._prefix = prefix
        self._registry = registry
        self._password = password
        self._environment = environment
        self._pulled: set[str] = set()
        self._launched: set[Container] = set()

    async def launch(self, intent: StartTask, ports: Mapping[int, int]) -> "Container":
        definition = intent.definition.containers[0]
        image = dict(intent.images).get(definition["name"], str(definition["image"]))
        reference = images.at(self._registry, image)
        await asyncio.to_thread(self._engine.pull, reference, self._password)
        self._pulled.add(reference)
        listen = ",".join(f"{inside}=127.0.0.1:{port}" for inside, port in ports.items())
        variables = await self._environment(intent)
        options = {
            **container_options.container(definition),
            "image": reference,
            "name": f"{self._prefix}-{intent.task.rsplit('/', 1)[-1][:12]}",
            "labels": dict([self._label, (_TASK_LABEL, intent.task)]),
            "environment": {**variables, "SERVICE_LISTEN": listen},
        }
        host = container_options.host(definition, limit=container_options.machine_limit)
        container_id = await asyncio.to_thread(self._engine.create, options, host)
        try:
            await asyncio.to_thread(self._engine.start, container_id)
            signal = await asyncio.to_thread(self._engine.stop_signal, container_id)
        except SandboxError:
            await asyncio.to_thread(self._engine.remove, container_id)
            raise
        container = Container(self._engine, container_id, signal)
        self._launched = {one for one in self._launched if not one.gone.is_set()} | {container}
        return container

    async def close(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GONE_WITHIN):
                await asyncio.gather(*(one.gone.wait() for one in self._launched))
        # Containers that are still being stopped or created.
        with contextlib.suppress(SandboxError):
            await asyncio.to_thread(self._engine.remove_labelled, self._label)
        # Their registry ends with the sandbox, so their references lead nowhere after it.
        await asyncio.to_thread(self._engine.remove_images, self._registry, self._pulled)
        self._engine.close()


class Container:
    """A started container. It is removed once its end is known, and then `gone` is set.

    Its own thread follows it, because the SDK's calls block as long as it runs.
    """

    def __init__(self, engine: "ContainerEngine", container: str, stop_signal: str) -> None:
        self._engine = engine
        self._id = container
        self._stop_signal = stop_signal
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self.gone = asyncio.Event()
        self._end: asyncio.Future[tuple[int, str]] = self._loop.create_future()
        threading.Thread(
            target=self._follow, name=f"container-{container[:12]}", daemon=True
        ).start()

    @property
    def key(self) -> str:
        return self._id

    @property
    def ended(self) -> bool:
        return self._end.done()

    async def lines(self) -> AsyncIterator[str]:
        while (line := await self._lines.get()) is not None:
            yield line

    async def wait(self) -> tuple[int, str]:
        return await asyncio.shield(self._end)

    async def end(self, within: float) -> None:
        if self.ended:
            return
        await asyncio.to_thread(self._engine.kill, self._id, self._stop_signal)
        try:
            async with asyncio.timeout(within):
                await asyncio.shield(self._end)
        except TimeoutError:
            await asyncio.to_thread(self._engine.kill, self._id, "SIGKILL")
            await self.wait()

    async def usage(self) -> Usage | None:
        return await asyncio.to_thread(self._engine.usage, self._id)

    def _follow(self) -> None:
        try:
            for line in self._engine.lines(self._id):
                self._tell(self._lines.put_nowait, line)
            end = self._engine.wait(self._id)
        except Exception as error:  # a task whose end is not reported would run for ever
            log.exception("container %s", self._id)
            end = (1, repr(error))
        self._tell(self._end.set_result, end)
        self._tell(self._lines.put_nowait, None)
        self._engine.remove(self._id)
        self._tell(self.gone.set)

    def _tell(self, what: Callable[..., object], *values: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody listens
            self._loop.call_soon_threadsafe(what, *values)
