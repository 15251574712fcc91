"""One sandbox for all end-to-end tests, and directories of systems of their own in it."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.end_to_end.place import ROOT, Place, opsctl


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
