"""Rehearsals: a prepared failure, the real command against it, and what an operator would see.

Each is a file of data in `rehearsals/`; running one starts a sandbox of its own, brings the system
to the state named by `setup`, plans the failure, and runs `opsctl` as a process.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import yaml

from opsctl.errors import ConfigError, OpsError
from opsctl.sandbox import environment, image, lifecycle
from opsctl.sandbox.home import Home, Sandbox, Settings

FOLDER = Path(__file__).parent / "rehearsals"
Setup = Literal["nothing", "db", "ecs", "released"]
_COMMANDS: Mapping[Setup, Sequence[Sequence[str]]] = {
    "nothing": (),
    "db": (("db", "up", "--yes"),),
    "ecs": (("db", "up", "--yes"), ("ecs", "up", "--yes")),
    "released": (
        ("db", "up", "--yes"),
        ("ecs", "up", "--yes"),
        ("update-tasks", "--yes", "--image", "IMAGE-1"),
    ),
}
_CONFIG: Mapping[str, Any] = {
    "name": "rehearsal",
    "network": {"vpc": "vpc-00000001", "subnets": ["subnet-00000001", "subnet-00000002"]},
}
_WITHIN = 150.0


@dataclass(frozen=True)
class Rehearsal:
    """`command` may name `IMAGE-1` and `IMAGE-2`; `screen` is what the operator must read.

    `failures` go to the simulation, `faults` onto the wire, `config` over the least config;
    `then` runs after they were planned, however it ends. `cause` is what really is wrong.
    """

    name: str
    tells: str
    command: Sequence[str]
    exit_code: int
    screen: Sequence[str]
    setup: Setup = "released"
    failures: Sequence[Mapping[str, Any]] = ()
    faults: Sequence[Mapping[str, Any]] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    then: Sequence[Sequence[str]] = ()
    cause: str = ""
    speed: float = 120.0


@dataclass(frozen=True)
class RehearsalEvent:
    """A step, a line of the screen, or (last) the exit code."""

    kind: Literal["step", "screen", "result"]
    text: str = ""
    exit_code: int | None = None


def every() -> list[Rehearsal]:
    return [_read(path) for path in sorted(FOLDER.glob("*.yaml"))]


def load(name: str) -> Rehearsal:
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError(f"there is no rehearsal `{name}`", hint="opsctl rehearse")
    return _read(path)


def _read(path: Path) -> Rehearsal:
    content = yaml.safe_load(path.read_text())
    if unknown := set(content) - {one.name for one in fields(Rehearsal)}:
        raise ConfigError(f"{path.name}: unknown key {', '.join(sorted(unknown))}")
    return Rehearsal(name=path.stem, **content)


def run(
    rehearsal: Rehearsal, directory: Path, environ: Mapping[str, str]
) -> Iterator[RehearsalEvent]:
    """Run it in an empty directory. Raises OpsError when the preparation itself fails."""
    (directory / "opsctl.yaml").write_text(
        yaml.safe_dump({**_CONFIG, **rehearsal.config}, sort_keys=False)
    )
    for name, text in rehearsal.files.items():
        (directory / name).write_text(text)
    home = Home(directory)
    settings = Settings(tasks="none", speed=rehearsal.speed)
    yield RehearsalEvent("step", f"a sandbox, {rehearsal.speed:g} times as fast as AWS")
    *_, started = lifecycle.up(home, settings, environ)
    assert started.sandbox is not None
    try:
        yield from _against(rehearsal, started.sandbox, directory, environ)
    finally:
        list(lifecycle.down(home))


def _against(
    rehearsal: Rehearsal, sandbox: Sandbox, directory: Path, environ: Mapping[str, str]
) -> Iterator[RehearsalEvent]:
    stage = _Stage(sandbox, directory, environ)
    for words in _COMMANDS[rehearsal.setup]:
        yield RehearsalEvent("step", f"opsctl {' '.join(words)}")
        code, screen = stage.opsctl(words)
        if code != 0:
            raise OpsError(f"preparing: opsctl {words[0]} exited {code}\n{screen}")
    yield RehearsalEvent("step", f"the failure: {rehearsal.tells}")
    stage.post("failures", rehearsal.failures)
    stage.post("faults", rehearsal.faults)
    for words in rehearsal.then:
        yield RehearsalEvent("step", f"opsctl {' '.join(words)}")
        stage.opsctl(words)
    yield RehearsalEvent("step", f"opsctl {' '.join(rehearsal.command)}")
    code, screen = stage.opsctl(rehearsal.command)
    stage.post("faults", [])
    for line in screen.splitlines():
        yield RehearsalEvent("screen", line)
    yield RehearsalEvent("result", exit_code=code)


class _Stage:
    """The real command, pointed at the sandbox, and the sandbox's own pages."""

    def __init__(self, sandbox: Sandbox, directory: Path, environ: Mapping[str, str]) -> None:
        self._sandbox = sandbox
        self._directory = directory
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (root, environ.get("PYTHONPATH", ""))))
        kept = {k: v for k, v in environ.items() if not k.startswith(("AWS_", "OPSCTL_"))}
        self._environ = {
            **kept,
            **environment.variables(sandbox),
            "PYTHONPATH": path,
            "NO_COLOR": "1",
        }
        self._images: dict[str, str] = {}

    def opsctl(self, words: Sequence[str]) -> tuple[int, str]:
        """Exit code and everything it said."""
        done = subprocess.run(
            [sys.executable, "-m", "opsctl", *(self._word(word) for word in words)],
            cwd=self._directory,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_WITHIN,
        )
        return done.returncode, done.stdout

    def post(self, page: str, content: Sequence[Mapping[str, Any]]) -> None:
        body = json.dumps([dict(one) for one in content]).encode()
        url = f"{self._sandbox.endpoint}/_sandbox/{page}"
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10):
            pass

    def _word(self, word: str) -> str:
        """`IMAGE-N` becomes a reference to an image that is pushed when first named."""
        if not word.startswith("IMAGE-"):
            return word
        if word not in self._images:
            package = self._directory / "service"
            package.mkdir(exist_ok=True)
            packed = image.pack(package, f"# release {word}\n:8082 {{\n}}\n")
            name = str(_CONFIG["name"])
            self._images[word] = image.push(self._sandbox.endpoint, name, packed, tag=word.lower())
        return self._images[word]
