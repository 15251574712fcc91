"""The real command run as a process, in a directory that leads it to a sandbox."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3

from opsctl_sandbox.images import Image, Registry
from tests import json_page
from tests.opsctl.cli import hints

ROOT = Path(__file__).parent.parent.parent


def opsctl(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    done = subprocess.run(
        [sys.executable, "-m", "opsctl", *words],
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    require_hints(done.stdout, done.stderr, words, environ, cwd)
    if "--json" in words:
        assert not json_page.undocumented(done.stdout)
    return done


def require_hints(
    data: str, talk: str, words: Sequence[str], environ: Mapping[str, str], cwd: Path
) -> None:
    """Every command that was hinted at can be pasted, and leads back to the same system."""
    shown = [line for line in data.splitlines() if line.strip().startswith("→ ")]
    for line in (*shown, *talk.splitlines()):
        said = line.strip().startswith(("hint: ", "warning: ", "→ "))
        if said or ": opsctl " in line:
            hints.require_same_system(line, words, environ, cwd)


@dataclass(frozen=True)
class Place:
    """A directory with a config, and the environment that leads to the sandbox."""

    folder: Path
    env: Mapping[str, str]

    def opsctl(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return opsctl(*words, cwd=self.folder, env=self.env, timeout=timeout)

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, **self.env}

    def stand_up(self, *, tasks: int) -> None:
        """Both stacks, for so many tasks, and no release yet."""
        config = self.folder / "opsctl.yaml"
        asked = config.read_text().replace("desired_count: 8", f"desired_count: {tasks}", 1)
        config.write_text(asked)
        for stack in ("db", "ecs"):
            done = self.opsctl(stack, "up", "--yes")
            assert done.returncode == 0, done.stderr


def spawn(place: Place, *words: str) -> subprocess.Popen[str]:
    """The command under way, its screen and its data to be read."""
    return subprocess.Popen(
        [sys.executable, "-m", "opsctl", *words],
        cwd=place.folder,
        env={**place.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def events(done: subprocess.CompletedProcess[str], kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [each for each in found if each["type"] == kind]


def post(place: Place, page: str, content: Any) -> None:
    """Plan faults or failures, or change the clock, on the sandbox's own pages."""
    env = place.env
    keys = f"{env['AWS_ACCESS_KEY_ID']}:{env['AWS_SECRET_ACCESS_KEY']}"
    headers = {"Authorization": f"Basic {b64encode(keys.encode()).decode()}"}
    url = f"{env['AWS_ENDPOINT_URL']}/_sandbox/{page}"
    with urlopen(Request(url, json.dumps(content).encode(), headers), timeout=10):
        pass


def push(place: Place, repository: str, image: Image, *, tag: str) -> str:
    """Push to the sandbox's registry, with a login of ECR; the reference by digest."""
    env = place.env
    ecr = boto3.client(
        "ecr",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    ecr.close()
    return Registry(env["AWS_ENDPOINT_URL"], f"Basic {token}").push(repository, image, tag=tag)
