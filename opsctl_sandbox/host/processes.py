"""Run tasks as processes: `python -m service run` with the image's files and the environment."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from opsctl_sandbox.cluster.intents import StartTask
from opsctl_sandbox.errors import SandboxError
from opsctl_sandbox.host import children
from opsctl_sandbox.host.runner import Usage
from opsctl_sandbox.images import Registry

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Processes:
    """Launches processes. Images are unpacked in `directory`, each once."""

    def __init__(
        self,
        directory: Path,
        *,
        registry: Registry,
        environ: Mapping[str, str],
        environment: Callable[[StartTask], Awaitable[Mapping[str, str]]],
    ) -> None:
        self._directory = directory
        self._registry = registry
        self._environ = environ
        self._environment = environment

    async def launch(self, intent: StartTask, ports: Mapping[int, int]) -> "Process":
        files = await asyncio.to_thread(self._files, intent)
        listen = [f"{inside}=127.0.0.1:{port}" for inside, port in ports.items()]
        options = [word for one in listen for word in ("--listen", one)]
        command = [sys.executable, "-m", "service", "run", "--config", "Caddyfile", *options]
        variables = await self._environment(intent)
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=files,
            env={**self._environ, **variables, "PYTHONUNBUFFERED": "1"},
            preexec_fn=children.leash(),
        )
        return Process(child)

    async def close(self) -> None:
        """Keep the files: the next sandbox of this name uses them again."""

    def _files(self, intent: StartTask) -> Path:
        """Return the directory with the image's `/app`, unpacked once per digest."""
        container = intent.definition.containers[0]
        reference = dict(intent.images).get(container["name"], str(container["image"]))
        name = "".join(letter if letter.isalnum() else "-" for letter in reference)
        directory = self._directory / name[-80:]
        if not (directory / "Caddyfile").exists() or "@" not in reference:
            directory.mkdir(parents=True, exist_ok=True)
            self._registry.unpack(reference, directory)
        if not (directory / "Caddyfile").exists():
            raise SandboxError(f"the image {reference} holds no /app/Caddyfile")
        return directory


class Process:
    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    @property
    def key(self) -> str:
        return str(self._child.pid)

    @property
    def ended(self) -> bool:
        return self._child.returncode is not None

    async def lines(self) -> AsyncIterator[str]:
        assert self._child.stdout is not None
        while True:
            try:
                line = await self._child.stdout.readline()
            except ValueError:
                # Longer than the reader's limit: skip it. A pipe that nobody reads would stop the
                # task.
                continue
            if not line:
                return
            yield line.decode(errors="replace").rstrip()

    async def wait(self) -> tuple[int, str]:
        code = await self._child.wait()
        return (code if code >= 0 else 128 - code), ""

    async def end(self, within: float) -> None:
        if self.ended:
            return
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within):
                await self._child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
            await self._child.wait()

    async def usage(self) -> Usage | None:
        try:
            text = Path(f"/proc/{self._child.pid}/stat").read_text()
        except OSError:
            return None
        fields = text.rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / _TICKS
        return Usage(seconds, int(fields[21]) * _PAGE / (1 << 20))
