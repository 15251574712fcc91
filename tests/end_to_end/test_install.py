"""The wheel in a fresh environment, used from a directory that holds a config and a template.

D3: the documented install could not pass the first step of `update-tasks`.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.place import ROOT, Place
from tests.end_to_end.test_update_tasks import push_for

pytestmark = pytest.mark.timeout(400)


def pip(python: Path, *words: str) -> None:
    done = subprocess.run(
        [python, "-m", "pip", *words, "--quiet", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"nothing can be installed here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `opsctl` of a fresh environment outside the checkout, without any extra."""
    folder = tmp_path_factory.mktemp("install")
    options = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    pip(Path(sys.executable), "wheel", *options, str(ROOT))
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    pip(
        folder / "venv/bin/python",
        *("install", "--constraint", str(ROOT / "constraints.txt"), str(wheel)),
    )
    return folder / "venv/bin/opsctl"


@pytest.fixture(scope="module")
def run(
    installed: Path, system: Callable[[str], Place]
) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    place = system("installed")
    config = place.folder / "opsctl.yaml"
    config.write_text(config.read_text().replace("desired_count: 8", "desired_count: 2", 1))
    environ = {key: value for key, value in place.environ.items() if key != "PYTHONPATH"}

    def opsctl(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [installed, *words],
            cwd=place.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return opsctl


@pytest.mark.parametrize(
    "words",
    [
        ("--version",),
        ("config", "check"),
        ("render", "db", "ecs", "ecr", "alarms", "caddyfile", "task-definition"),
        ("db", "up", "--yes"),
        ("ecs", "up", "--yes"),
        ("update-tasks", "--yes"),
        ("logs", "sources"),
        ("metrics", "--since", "10m"),
    ],
)
def test_every_command_works_from_there(
    run: Callable[..., "subprocess.CompletedProcess[str]"], sandbox: Place, words: tuple[str, ...]
) -> None:
    if words[0] == "update-tasks":
        # The Caddyfile is checked by the service that the wheel holds; an engine need not answer.
        checked = run("update-tasks", "--dry-run")
        assert checked.returncode == 2 and "Caddyfile: new" in checked.stderr, checked.stderr
        words = (*words, "--image", push_for(sandbox, "installed", "first"))
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_the_sandbox_says_how_to_install_it(
    run: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    done = run("sandbox", "up")
    assert done.returncode == 1
    assert "hint: pipx install '.[sandbox]'" in done.stderr
