"""A real `python -m service run` on free ports of the loopback, ended by its pid."""

import http.client
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ENTITY = "/v1/cids/c/entity_types/t/domains/d/keys/"


@dataclass
class Service:
    process: subprocess.Popen[str]
    ports: dict[int, int]
    said: list[str] = field(default_factory=list)

    def request(
        self,
        method: str,
        path: str,
        body: str = "",
        *,
        port: int = 8082,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes, Mapping[str, str]]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.ports[port], 10)) as connection:
            connection.request(method, path, body or None, headers or {})
            response = connection.getresponse()
            answer_headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, response.read(), answer_headers

    def stop(self) -> int:
        """The exit status after SIGTERM; what was said on stderr is in `said`."""
        self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=20)
        self.said.extend(rest.splitlines())
        return self.process.returncode


def command(config: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "service", "run", "--config", str(config), *options]


@contextmanager
def running(
    folder: Path,
    caddyfile: str,
    *options: str,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
) -> Iterator[Service]:
    """`before` is called in the new process before it becomes the service."""
    config = folder / "Caddyfile"
    config.write_text(caddyfile)
    ports = [int(port) for port in re.findall(r"^:(\d+)", caddyfile, re.MULTILINE)]
    listen = [part for port in ports for part in ("--listen", f"{port}=127.0.0.1:0")]
    process = subprocess.Popen(
        command(config, *listen, *options),
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=before,
    )
    assert process.stderr is not None
    try:
        said: list[str] = []
        pairs: list[tuple[str, str]] = []
        while not pairs and (line := process.stderr.readline()):
            said.append(line.rstrip())
            pairs = re.findall(r"(\d+) on 127\.0\.0\.1:(\d+)", line)
        assert pairs, said
        yield Service(process, {int(site): int(bound) for site, bound in pairs}, said)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)
