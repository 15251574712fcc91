"""The parts of a rehearsal that no prepared failure shows: what goes wrong with the playing."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl_sandbox.errors import SandboxError
from opsctl_sandbox.process.home import Sandbox
from opsctl_sandbox.rehearsals import live
from opsctl_sandbox.rehearsals.workspace import Workspace
from tests.opsctl_sandbox.clients import Connect


@pytest.fixture
def workspace(sandbox: Sandbox, tmp_path: Path) -> Iterator[Workspace]:
    workspace = Workspace(sandbox, tmp_path, os.environ, repository="none", images={})
    yield workspace
    workspace.close()


def test_the_screen_of_a_command_under_json_is_what_it_says_to_people(workspace: Workspace) -> None:
    command = workspace.opsctl(["db", "status"], json=True)
    assert "error: " in "\n".join(command.screen())
    code, [error] = command.end()
    assert code == error["exit_code"] == 2


def test_without_json_there_are_no_objects(workspace: Workspace) -> None:
    command = workspace.opsctl(["--version"])
    [line] = command.screen()
    assert line.startswith("opsctl ")
    assert command.end() == (0, [])


def test_a_command_under_way_ends_with_the_workspace(sandbox: Sandbox, tmp_path: Path) -> None:
    workspace = Workspace(sandbox, tmp_path, os.environ, repository="none", images={})
    command = workspace.opsctl(["logs", "tail"])
    workspace.close()
    assert command.end()[0] == -signal.SIGKILL


def test_waiting_for_words_that_never_come_is_an_error(workspace: Workspace) -> None:
    workspace.other(["--version"], "opsctl")
    with pytest.raises(SandboxError, match="never said `UPDATE_IN_PROGRESS`"):
        workspace.other(["--version"], "UPDATE_IN_PROGRESS")


def test_a_call_may_name_what_only_the_running_system_knows() -> None:
    class Ecs:
        def list_tasks(self, cluster: str) -> dict[str, list[str]]:
            return {"taskArns": [f"{cluster}/1", f"{cluster}/2"]}

    class CloudFormation:
        def describe_stack_resource(self, **asked: str) -> dict[str, dict[str, str]]:
            return {"StackResourceDetail": {"PhysicalResourceId": "/".join(asked.values())}}

    clients = {"ecs": Ecs(), "cloudformation": CloudFormation()}.__getitem__
    wanted = {"task": "$task", "group": ["$ecs.TargetGroup"], "count": 2, "reason": "none"}
    assert live.filled(wanted, "web", clients) == {
        "task": "web/1",
        "group": ["web-ecs/TargetGroup"],
        "count": 2,
        "reason": "none",
    }
    with pytest.raises(LookupError, match="`\\$tasks` names nothing"):
        live.filled("$tasks", "web", clients)


def test_a_call_with_another_tool_reaches_the_sandbox(
    workspace: Workspace, connect: Connect, unique: str
) -> None:
    workspace.call("ecs", "create_cluster", {"clusterName": unique})
    [found] = connect("ecs").describe_clusters(clusters=[unique])["clusters"]
    assert found["clusterName"] == unique
