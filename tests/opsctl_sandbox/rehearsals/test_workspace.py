"""The parts of a rehearsal that no prepared failure shows: what goes wrong with the playing."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl_sandbox.errors import SandboxError
from opsctl_sandbox.process.home import Sandbox
from opsctl_sandbox.rehearsals.workspace import Workspace
from tests.opsctl_sandbox.clients import Connect


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Iterator[Workspace]:
    stage = Workspace(sandbox, tmp_path, os.environ, repository="none", images={})
    yield stage
    stage.close()


def test_the_screen_of_a_command_under_json_is_what_it_says_to_people(stage: Workspace) -> None:
    command = stage.opsctl(["db", "status"], json=True)
    assert "error: " in "\n".join(command.screen())
    code, [error] = command.end()
    assert code == error["exit_code"] == 2


def test_without_json_there_is_the_screen_and_nothing_else(stage: Workspace) -> None:
    command = stage.opsctl(["--version"])
    [line] = command.screen()
    assert line.startswith("opsctl ")
    assert command.end() == (0, [])


def test_a_command_that_is_left_in_the_middle_ends_with_the_stage(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    stage = Workspace(sandbox, tmp_path, os.environ, repository="none", images={})
    command = stage.opsctl(["logs", "tail"])
    stage.close()
    assert command.end()[0] == -signal.SIGKILL


def test_somebody_else_who_never_says_the_words_is_not_waited_for(stage: Workspace) -> None:
    stage.other(["--version"], "opsctl")
    with pytest.raises(SandboxError, match="never said `UPDATE_IN_PROGRESS`"):
        stage.other(["--version"], "UPDATE_IN_PROGRESS")


def test_a_call_with_another_tool_reaches_the_sandbox(
    stage: Workspace, connect: Connect, unique: str
) -> None:
    stage.call("ecs", "create_cluster", {"clusterName": unique})
    [found] = connect("ecs").describe_clusters(clusters=[unique])["clusters"]
    assert found["clusterName"] == unique
