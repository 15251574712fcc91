"""One sandbox for all end-to-end tests, and the real command run as a process against it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
Run = Callable[..., subprocess.CompletedProcess[str]]


def opsctl(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "opsctl", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@dataclass(frozen=True)
class Place:
    """A directory with a config, and the environment that leads to the sandbox."""

    folder: Path
    env: Mapping[str, str]

    def opsctl(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return opsctl(*words, cwd=self.folder, env=self.env, timeout=timeout)


def events(done: subprocess.CompletedProcess[str], kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [each for each in found if each["type"] == kind]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("sandbox")
    # Processes whatever the machine has: images here are packed without an engine, or by another.
    words = ("--speed", "120", "--tasks", "process")
    started = opsctl("sandbox", "up", *words, cwd=folder)
    assert started.returncode == 0, started.stderr
    try:
        exported = opsctl("sandbox", "env", "--json", cwd=folder)
        values = json.loads(exported.stdout)
        yield Place(folder, {key: value for key, value in values.items() if key.isupper()})
    finally:
        opsctl("sandbox", "down", cwd=folder)


@pytest.fixture(scope="session")
def system(sandbox: Place) -> Callable[[str], Place]:
    """Make a directory for a system of its own name: config, template, secrets file."""

    def make(name: str) -> Place:
        folder = sandbox.folder / name
        folder.mkdir()
        example = (ROOT / "opsctl.example.yaml").read_text()
        (folder / "opsctl.yaml").write_text(example.replace("name: example", f"name: {name}", 1))
        for copied in ("Caddyfile_template", "Dockerfile"):
            (folder / copied).write_text((ROOT / copied).read_text())
        return Place(folder, sandbox.env)

    return make
