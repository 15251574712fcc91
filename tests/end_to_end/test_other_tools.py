"""Other tools against the sandbox, beside opsctl: what works on AWS works here, and opsctl tells
what a colleague has done with them.

ecs-deploy is on PyPI. ecspresso and rain are used where the machine has them.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opsctl_sandbox.process import environment, lifecycle
from opsctl_sandbox.process.home import Home, Sandbox, Settings
from tests.opsctl_sandbox.clients import client, start
from tests.opsctl_sandbox.cloudformation.stack import template

Tool = Callable[..., str]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox with the service `web`, of the family `web`, in the cluster `web`."""
    home = Home(tmp_path_factory.mktemp("others"), "others")
    sandbox = start(home, Settings(name="others", tasks="none", speed=600.0))
    cloudformation = client(sandbox, "cloudformation")
    cloudformation.create_stack(StackName="web", TemplateBody=json.dumps(template("web")))
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.wait(StackName="web", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    cloudformation.close()
    yield sandbox
    list(lifecycle.down(home))


@pytest.fixture
def tool(fast: Sandbox, tmp_path: Path) -> Tool:
    def run(*words: str, code: int = 0) -> str:
        name = str(BIN / words[0]) if (BIN / words[0]).exists() else shutil.which(words[0])
        if name is None:
            pytest.skip(f"no {words[0]} on this machine")
        done = subprocess.run(
            [name, *words[1:]],
            cwd=tmp_path,
            env={**os.environ, **environment.variables(fast), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=100,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    return run


def test_ecs_deploy_rolls_scales_and_runs(fast: Sandbox, tool: Tool) -> None:
    said = tool("ecs", "deploy", "web", "web", "-e", "caddy", "FOO", "bar", "--timeout", "60")
    assert "Deployment successful" in said and "Successfully deregistered revision" in said
    assert "Scaling successful" in tool("ecs", "scale", "web", "web", "3", "--timeout", "60")
    assert "Successfully started" in tool("ecs", "run", "web", "web", "1")

    ecs = client(fast, "ecs")
    [service] = ecs.describe_services(cluster="web", services=["web"])["services"]
    ecs.close()
    assert service["desiredCount"] == 3
    assert not service["taskDefinition"].endswith("web:1")


def test_ecspresso_deploys_and_rolls_back(tool: Tool) -> None:
    tool("ecspresso", "init", "--region", "us-east-1", "--cluster", "web", "--service", "web")
    assert "PRIMARY" in tool("ecspresso", "status")
    for words in (["deploy"], ["deploy", "--force-new-deployment"], ["rollback"]):
        assert "Service is stable now. Completed!" in tool("ecspresso", *words)


def test_rain_deploys_changes_and_removes_a_stack(tool: Tool, tmp_path: Path) -> None:
    parameter = {"Name": {"Type": "String", "Default": "alpha"}}
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Name"}}}
    body = json.dumps({"Parameters": parameter, "Resources": {"Topic": topic}})
    (tmp_path / "t.json").write_text(body)
    assert "Successfully deployed" in tool("rain", "deploy", "-y", "t.json", "peer")
    changed = ("rain", "deploy", "-y", "t.json", "peer", "--params", "Name=beta")
    assert "Successfully updated" in tool(*changed)
    assert "there is no change" in tool(*changed)
    assert "Successfully deleted" in tool("rain", "rm", "-y", "peer")
