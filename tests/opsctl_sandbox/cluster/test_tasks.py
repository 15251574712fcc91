"""What a task that did not start says."""

import pytest

from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.failures import Failure
from opsctl_sandbox.cluster.values import GroupSpec, Task


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
    engine = Engine(1, failures=(Failure("pull-denied"),))
    engine.world.clusters["c"] = {}
    engine.create_group(GroupSpec("asg", "c", 1, 0, 1, ("us-east-1a",)))
    engine.advance(300.0)
    container = {"name": "web", "image": image, "cpu": 1, "memory": 4}
    definition = engine.register({"family": "web", "containerDefinitions": [container]})
    task = engine.run_task("c", definition.arn, overrides={})
    assert isinstance(task, Task)
    engine.advance(400.0)
    assert f"pull access denied for {repository}, repository" in str(task.containers[0].reason)
