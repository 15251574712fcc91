"""The wheel in a fresh environment, from an empty directory to a release, as in a pipeline.

D3: the documented install could not pass the first step of `update-tasks`.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import yaml

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


class Stranger:
    """Somebody with the installed `opsctl` and an empty directory; nothing of the checkout."""

    def __init__(self, opsctl: Path, sandbox: Place) -> None:
        self.home = sandbox.folder / "stranger"
        self.home.mkdir()
        kept = {name: value for name, value in sandbox.environ.items() if name != "PYTHONPATH"}
        self.environ = {
            **kept,
            "HOME": str(self.home),
            "PATH": f"{opsctl.parent}:{kept['PATH']}",
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(self.home / "summary.md"),
            **{f"GITHUB_{name}": "x" for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")},
        }
        self.folder = self.home

    def types(self, line: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", line],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture(scope="module")
def stranger(installed: Path, sandbox: Place) -> Stranger:
    return Stranger(installed, sandbox)


def of_the_workflow() -> list[str]:
    """What the workflow in the documents runs, in its order; the installing is done."""
    workflow = yaml.safe_load((ROOT / "docs/examples/github-deploy.yml").read_text())
    jobs = [workflow["jobs"][name] for name in ("plan", "deploy")]
    lines = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    return [line for line in lines if not line.startswith("pipx ")]


def test_the_workflow_holds_what_it_is_for() -> None:
    commands = " ".join(of_the_workflow())
    for words in ("ecs plan", "update-tasks --dry-run", "doctor", "update-tasks --yes", "why"):
        assert f"opsctl {words}" in commands


@pytest.mark.parametrize(
    "line",
    [
        "opsctl --version",
        "opsctl init stranger",
        "opsctl render db ecs ecr alarms caddyfile task-definition --out rendered",
        "opsctl --set ecs.desired_count=2 db up --yes",
        "opsctl --set ecs.desired_count=2 ecs up --yes",
        *of_the_workflow(),
        "opsctl why --from incident.jsonl",
        "opsctl logs sources",
        "opsctl metrics --since 10m",
    ],
)
def test_every_command_works_from_there(stranger: Stranger, sandbox: Place, line: str) -> None:
    if "update-tasks --yes" in line:  # here nothing can be built
        # What `init` wrote, and not what lies in the checkout, is what a stranger's tasks run.
        image = push_for(sandbox, "stranger", "first", service=stranger.folder / "service")
        line = line.replace("--yes", f"--yes --set ecs.desired_count=2 --image {image}")
    done = stranger.types(line)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if "init" in line:
        stranger.folder = stranger.home / "stranger"


def test_the_pipeline_has_its_summary(stranger: Stranger) -> None:
    text = (stranger.home / "summary.md").read_text()
    assert "| Add | CacheCluster |" in text and "**deployed**" in text


def test_the_sandbox_says_how_to_install_it(stranger: Stranger) -> None:
    done = stranger.types("opsctl sandbox up")
    assert done.returncode == 1
    assert "hint: pipx install '.[sandbox]'" in done.stderr
