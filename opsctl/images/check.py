"""Check a Caddyfile with the service's own parser, and compare it with the stacks.

The parser is the copy that opsctl ships, in a process isolated from the files beside the config:
nothing of the project is executed and nothing is written there. The image build checks again with
the project's own copy of the service.
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsctl import disk, project
from opsctl.errors import OpsError, TemplateError

_PORT = re.compile(r":(\d+)$")
_SECONDS = 20
# `-I` ignores the current directory, PYTHON… variables and the user's packages.
_RUN = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('service', run_name='__main__', alter_sys=True)"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a Caddyfile states and others rely on."""

    ports: frozenset[int]
    redis: tuple[str, ...]


def read(text: str, *, directory: Path, name: str, source: str) -> Facts:
    """Check the Caddyfile `text` as if it were `directory`/`name`, and return its facts.

    Raises TemplateError with the parser's `FILE:LINE - message`. FILE is `source`, the template,
    whose lines match those of `text`.
    """
    with tempfile.TemporaryDirectory(prefix="opsctl-caddyfile-", dir=disk.temporary()) as folder:
        file = Path(folder, Path(name).name)
        for entry in directory.iterdir() if directory.is_dir() else ():
            # Links for `import`, which reads files beside the Caddyfile.
            if entry.name != file.name:
                Path(folder, entry.name).symlink_to(disk.real(entry))
        file.write_text(text, encoding="utf-8")
        _service("check", file, source)
        return facts(json.loads(_service("adapt", file, source)))


def facts(blocks: Iterable[Mapping[str, Any]]) -> Facts:
    """Return the facts in Caddy v1's JSON: blocks of `keys` and `body` ([directive, argument…])."""
    ports: set[int] = set()
    redis: list[str] = []
    for block in blocks:
        ports.update(_port(key) for key in block["keys"])
        for name, *arguments in block["body"]:
            # Mode `testing` has no Redis server to compare.
            if name == "redis" and arguments and "testing" not in arguments[1:]:
                redis.append(str(arguments[0]))
    return Facts(frozenset(ports), tuple(redis))


def disagreements(
    stated: Facts, *, ports: Iterable[int], container_port: int, redis: str
) -> list[str]:
    """Return one sentence for each mismatch that would start and then not work."""
    published = {*ports, container_port}
    sentences = [
        f"the tasks publish port {port} (`ecs.ports`), but no site of the Caddyfile listens on it"
        for port in sorted(published - stated.ports)
    ]
    sentences += [
        f"a site of the Caddyfile listens on {port}, but `ecs.ports` does not publish it"
        for port in sorted(stated.ports - published)
    ]
    sentences += [
        f"the Caddyfile names Redis at {address}, but the db stack's is at {redis}"
        for address in stated.redis
        if address.rpartition("//")[2] != redis
    ]
    return sentences


def other_version(directory: Path) -> bool:
    """Return whether `directory` has its own, different copy of the service."""
    own = directory / "service"
    return (own / "__main__.py").is_file() and _digest(own) != _digest(project.FOLDER / "service")


def _digest(package: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        whole.update(f"{path.relative_to(package)}\n".encode() + path.read_bytes())
    return whole.hexdigest()


def _service(command: str, file: Path, source: str) -> str:
    """Run a command of the service and return its output.

    Raises TemplateError with its complaint.
    """
    arguments = [sys.executable, "-I", "-c", _RUN, str(project.FOLDER), command, str(file)]
    try:
        done = subprocess.run(
            arguments, cwd=file.parent, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise TemplateError(
            f"checking the Caddyfile took longer than {_SECONDS} seconds",
            hint=f"look for a loop of imports in {source}",
        ) from None
    if "Traceback" in done.stderr:
        raise OpsError(
            f"the check of the Caddyfile broke: {done.stderr.strip().splitlines()[-1]}",
            hint="this is a fault of opsctl; reinstall it: pipx install --force .",
        )
    if done.returncode:
        reasons = done.stderr.strip().replace(f"{file}:", f"{source}:")
        raise TemplateError(
            f"the service refuses this Caddyfile: {reasons}",
            hint=f"correct {source}; the Caddyfile is made from it",
        )
    return done.stdout


def _port(key: str) -> int:
    """Return the port of a site address as the service reads it: `http` is 80, the default 2015."""
    if number := _PORT.search(key.rstrip("/")):
        return int(number[1])
    return 80 if key.startswith("http://") or key.endswith(":http") else 2015
