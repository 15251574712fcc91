"""Commands as processes, against a sandbox of this session."""

import base64
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from opsctl_sandbox.process import environment, lifecycle
from opsctl_sandbox.process.home import Home, Settings
from tests import json_page

ROOT = Path(__file__).parents[3]


class System:
    """One system with a name of its own: its folder, its config, its environment."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder, self.name = folder, f"t{uuid4().hex[:8]}"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        self.variables = {**kept, **variables, "PYTHONPATH": str(ROOT)}
        subnets = "[subnet-00000001, subnet-00000002]"
        config = f"name: {self.name}\nnetwork: {{vpc: vpc-00000001, subnets: {subnets}}}\n"
        (folder / "opsctl.yaml").write_text(config + "compute: {maximum: 4}\n", encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "opsctl", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        if "--json" in arguments:
            assert not json_page.undocumented(done.stdout)
        return done

    def client(self, service: str) -> Any:
        make: Any = boto3.client  # its stubs want a literal name
        return make(
            service,
            endpoint_url=self.variables["AWS_ENDPOINT_URL"], region_name="us-east-1",
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    def fault(self, *rules: Mapping[str, object]) -> None:
        """Replace the faults on the wire; without rules there are none."""
        keys = (self.variables[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
        request = urllib.request.Request(
            f"{self.variables['AWS_ENDPOINT_URL']}/_sandbox/faults",
            json.dumps(rules).encode(),
            {"Authorization": f"Basic {base64.b64encode(':'.join(keys).encode()).decode()}"},
        )
        urllib.request.urlopen(request, timeout=5).close()


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    home = Home(tmp_path_factory.mktemp("sandbox"))
    *_, last = lifecycle.up(home, Settings(tasks="none"), os.environ)
    assert last.sandbox is not None
    yield environment.variables(last.sandbox)
    list(lifecycle.down(home))


@pytest.fixture
def system(tmp_path: Path, endpoint: Mapping[str, str]) -> System:
    return System(tmp_path, endpoint)
