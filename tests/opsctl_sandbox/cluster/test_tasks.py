"""What a task that did not start says."""

from typing import Any

import pytest

from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.failures import Failure
from opsctl_sandbox.cluster.values import GroupSpec, Task


def begun(engine: Engine, **container: Any) -> Task:
    """A task of this one container, a while after its start."""
    engine.world.clusters["c"] = {}
    engine.create_group(GroupSpec("asg", "c", 1, 0, 1, ("us-east-1a",)))
    engine.advance(300.0)
    whole = {"name": "web", "image": "nginx", "cpu": 1, "memory": 4, **container}
    definition = engine.register({"family": "web", "containerDefinitions": [whole]})
    task = engine.run_task("c", definition.arn, overrides={})
    assert isinstance(task, Task)
    engine.advance(400.0)
    return task


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("nginx", "nginx"),
        ("nginx:1", "nginx"),
        ("127.0.0.1:5000/web", "127.0.0.1:5000/web"),
        ("127.0.0.1:5000/web:1@sha256:ab", "127.0.0.1:5000/web"),
    ],
)
def test_a_pull_that_is_denied_names_the_repository(image: str, repository: str) -> None:
    task = begun(Engine(1, failures=(Failure("pull-denied"),)), image=image)
    assert f"pull access denied for {repository}, repository" in str(task.containers[0].reason)


def test_a_task_does_not_start_without_the_log_group_it_writes_to() -> None:
    options = {"awslogs-group": "/web/stdout"}
    logs = {"logDriver": "awslogs", "options": options}
    assert begun(Engine(1), logConfiguration=logs).status == "RUNNING"
    bare = Engine(1, holds=lambda need, name: (need, name) != ("log group", "/web/stdout"))
    task = begun(bare, logConfiguration=logs)
    assert "The specified log group does not exist" in str(task.containers[0].reason)
    made = {**logs, "options": {**options, "awslogs-create-group": "true"}}
    assert begun(Engine(1, holds=bare.world.holds), logConfiguration=made).status == "RUNNING"


def test_a_task_does_not_start_without_its_secrets_and_names_the_one_that_is_gone() -> None:
    names = [f"arn:aws:ssm:us-east-1:1:parameter/{name}" for name in ("here", "gone")]
    secrets = [{"name": "X", "valueFrom": name} for name in names]
    engine = Engine(1, holds=lambda need, name: not name.endswith("gone"))
    assert begun(engine, secrets=secrets).stopped_reason.endswith("invalid parameters: /gone")
