"""Will the service take this Caddyfile, and does it agree with the stacks? Its own parser answers.

The service is run as a process, never imported: it may be another version than this tool's.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsctl.errors import TemplateError

_PORT = re.compile(r":(\d+)$")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a Caddyfile says that others rely on."""

    ports: frozenset[int]
    redis: tuple[str, ...]


def read(file: Path, *, directory: Path, source: str = "") -> Facts | None:
    """None when no service is beside the file or installed: then only the image build checks it.

    Raises TemplateError with the parser's own `FILE:LINE - message`; FILE is `source` where given:
    what `file` was filled from, line by line.
    """
    checked = _service(directory, "check", file)
    if "No module named service" in checked.stderr:
        return None
    if checked.returncode:
        said = checked.stderr.strip().replace(f"{file}:", f"{source or file}:")
        raise TemplateError(
            f"the service refuses this Caddyfile: {said}",
            hint="correct the template; the Caddyfile is made from it",
        )
    return facts(json.loads(_service(directory, "adapt", file).stdout))


def facts(blocks: Iterable[Mapping[str, Any]]) -> Facts:
    """From Caddy v1's JSON: blocks of `keys` and a `body` of [directive, argument…]."""
    ports: set[int] = set()
    redis: list[str] = []
    for block in blocks:
        ports.update(_port(key) for key in block["keys"])
        for name, *arguments in block["body"]:
            # In `testing` mode there is no server to agree about.
            if name == "redis" and arguments and "testing" not in arguments[1:]:
                redis.append(str(arguments[0]))
    return Facts(frozenset(ports), tuple(redis))


def disagreements(
    found: Facts, *, ports: Iterable[int], container_port: int, redis: str
) -> list[str]:
    """One sentence for each thing that would start and then not work."""
    wanted = {*ports, container_port}
    sentences = [
        f"the tasks publish port {port} (`ecs.ports`), but no site of the Caddyfile listens on it"
        for port in sorted(wanted - found.ports)
    ]
    sentences += [
        f"a site of the Caddyfile listens on {port}, but `ecs.ports` does not publish it"
        for port in sorted(found.ports - wanted)
    ]
    sentences += [
        f"the Caddyfile names Redis at {address}, but the db stack's is at {redis}"
        for address in found.redis
        if address.rpartition("//")[2] != redis
    ]
    return sentences


def _service(directory: Path, command: str, file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", command, str(file)],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
    )


def _port(key: str) -> int:
    """The service's own reading: `http` is 80, and 2015 is v1's default."""
    if found := _PORT.search(key.rstrip("/")):
        return int(found[1])
    return 80 if key.startswith("http://") or key.endswith(":http") else 2015
