"""Where a rehearsal is played: a sandbox, a directory, and the real command as a process."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from opsctl_sandbox import images
from opsctl_sandbox.errors import SandboxError
from opsctl_sandbox.process import environment
from opsctl_sandbox.process.home import Sandbox
from opsctl_sandbox.rehearsals import live

ROOT = Path(__file__).parents[2]
# Loopback, without the proxies of the environment.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_WITHIN = 100.0
_LOOK = 0.05
Object = Mapping[str, Any]
# Like `subprocess.Popen`, for `python -m opsctl …`.
Start = Callable[..., Any]


class Command:
    """A running `opsctl`: its screen while it runs; its exit code and JSON when it has ended."""

    def __init__(
        self,
        words: Sequence[str],
        *,
        directory: Path,
        environ: Mapping[str, str],
        json: bool,
        start: Start,
    ) -> None:
        self._json = json
        # A file, because it is read at the end: a pipe that nobody reads would stop the command.
        self._data = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the command
        self._process = start(
            [sys.executable, "-m", "opsctl", *(["--json"] if json else []), *words],
            cwd=directory,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=self._data if json else subprocess.PIPE,
            stderr=subprocess.PIPE if json else subprocess.STDOUT,
            text=True,
        )

    def screen(self) -> Iterator[str]:
        """Yield its lines as they come; without JSON they include stdout."""
        process = self._process
        source = process.stdout or process.stderr
        assert source is not None
        guard = threading.Timer(_WITHIN, process.kill)
        guard.start()
        try:
            with source:
                for line in source:
                    yield line.rstrip("\n")
            process.wait()
        finally:
            guard.cancel()

    def stop(self) -> None:
        """Kill it, if it still runs."""
        with self._process:
            self._process.kill()
        self._data.close()

    def end(self) -> tuple[int, list[Object]]:
        """Return its exit code and every JSON object, after the screen was read."""
        if not self._json:
            return self._process.returncode, []
        with self._data as data:
            data.seek(0)
            return self._process.returncode, [json.loads(line) for line in data]


class Workspace:
    """`images` maps image names to Caddyfiles; other images have one that serves nothing."""

    def __init__(
        self,
        sandbox: Sandbox,
        directory: Path,
        environ: Mapping[str, str],
        *,
        repository: str,
        images: Mapping[str, str],
        sleep: Callable[[float], None] = time.sleep,
        start: Start = subprocess.Popen,
    ) -> None:
        self._sandbox = sandbox
        self.directory = directory
        self._repository = repository
        self._caddyfiles = images
        self._sleep = sleep
        self._start = start
        path = os.pathsep.join(filter(None, (str(ROOT), environ.get("PYTHONPATH", ""))))
        kept = {k: v for k, v in environ.items() if not k.startswith(("AWS_", "OPSCTL_"))}
        self._bare = {**kept, "PYTHONPATH": path, "NO_COLOR": "1"}
        self._environ = {**self._bare, **environment.variables(sandbox)}
        self._images: dict[str, str] = {}
        self._commands: list[Command] = []
        self._others: list[subprocess.Popen[bytes]] = []

    def opsctl(
        self, words: Sequence[str], *, json: bool = False, elsewhere: Path | None = None
    ) -> Command:
        """Run `opsctl` in its directory, or `elsewhere`, without access to AWS."""
        command = Command(
            [self._word(word) for word in words],
            directory=elsewhere or self.directory,
            environ=self._bare if elsewhere else self._environ,
            json=json,
            start=self._start,
        )
        self._commands.append(command)
        return command

    def other(self, words: Sequence[str], until: str) -> None:
        """Start somebody else's `opsctl` and leave it running once it has printed `until`.

        Raises SandboxError when it ends, or runs for long, without having printed that.
        """
        output = self.directory / f"other-{len(self._others)}.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "opsctl", *(self._word(word) for word in words)],
                cwd=self.directory,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self._others.append(process)
        for _ in range(int(_WITHIN / _LOOK)):
            if until in output.read_text(errors="replace"):
                return
            if process.poll() is not None:
                break
            self._sleep(_LOOK)
        raise SandboxError(f"opsctl {words[0]} never said `{until}`")

    def call(self, service: str, operation: str, parameters: Object) -> None:
        """Make one call as another tool would:

        `ecs`, `update_service`, with the names of `live.filled`. Raises SandboxError if refused.
        """
        # Imported here, because only rehearsals with such a step need it.
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.session import Session

        key = self._sandbox.keys.operator
        create = partial(
            Session().create_client,
            endpoint_url=self._sandbox.endpoint,
            region_name=self._sandbox.settings.region,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
        )
        with ExitStack() as opened:
            try:
                connect = partial(_connected, create, opened)
                parameters = live.filled(parameters, self._repository, connect)
                getattr(connect(service), operation)(**parameters)
            except (BotoCoreError, ClientError, AttributeError, LookupError) as error:
                raise SandboxError(f"meanwhile: {service}: {operation}: {error}") from error

    def close(self) -> None:
        """End everything that still runs."""
        for command in self._commands:
            command.stop()
        for process in self._others:
            with process:
                process.kill()

    def post(self, page: str, content: Sequence[Object] | Object) -> None:
        url = f"{self._sandbox.endpoint}/_sandbox/{page}"
        headers = {"Authorization": self._sandbox.keys.pages}
        request = urllib.request.Request(url, json.dumps(content).encode(), headers)
        with _OPENER.open(request, timeout=10):
            pass

    def _word(self, word: str) -> str:
        """Replace `IMAGE-N` by a reference to an image, which is pushed on first use."""
        if not word.startswith("IMAGE-"):
            return word
        if word not in self._images:
            caddyfile = self._caddyfiles.get(word, ":8082 {\n}\n")
            packed = images.pack(self._service(), f"# release {word}\n{caddyfile}")
            registry = images.Registry(self._sandbox.endpoint, self._sandbox.keys.registry)
            self._images[word] = registry.push(self._repository, packed, tag=word.lower())
        return self._images[word]

    def _service(self) -> Path:
        """Return an image's content: the service if tasks are real, else nothing."""
        if self._sandbox.settings.tasks != "none":
            return images.service_sources()
        empty = self.directory / "service"
        empty.mkdir(exist_ok=True)
        return empty


def _connected(create: Callable[[str], Any], opened: ExitStack, service: str) -> Any:
    return opened.enter_context(closing(create(service)))
