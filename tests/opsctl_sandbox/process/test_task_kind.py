"""Where tasks run: what is asked for, what an engine must have, and what is said about it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from opsctl_sandbox.errors import EngineError, SandboxError
from opsctl_sandbox.process import lifecycle, task_kind
from opsctl_sandbox.process.home import Home, Settings

HERE: Mapping[str, Any] = {
    "Name": "here",
    "OSType": "linux",
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default"],
    "RegistryConfig": {"InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8"]},
}


def test_an_engine_of_this_machine_lacks_nothing() -> None:
    assert task_kind.lacking(HERE, "here") == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"Name": "docker-desktop"}, "runs in a machine of its own (`docker-desktop`)"),
        ({"OSType": "windows"}, "runs in a machine of its own"),
        ({"SecurityOptions": ["name=rootless"]}, "is rootless or maps users"),
        ({"SecurityOptions": ["name=userns"]}, "is rootless or maps users"),
        ({"RegistryConfig": {}}, "takes no images from 127.0.0.1 without TLS"),
        ({"RegistryConfig": None}, "takes no images from 127.0.0.1 without TLS"),
    ],
)
def test_an_engine_whose_containers_cannot_reach_the_sandbox_says_why(
    changed: Mapping[str, Any], said: str
) -> None:
    assert said in task_kind.lacking({**HERE, **changed}, "here")


def test_process_and_none_connect_to_no_engine() -> None:
    nowhere = {"DOCKER_HOST": "tcp://192.0.2.1:2375"}
    assert task_kind.choose("process", nowhere).tasks == "process"
    assert task_kind.choose("none", nowhere).tasks == "none"


def test_an_engine_on_another_machine_is_never_used() -> None:
    nowhere = {"DOCKER_HOST": "tcp://192.0.2.1:2375"}
    assert task_kind.choose("auto", nowhere).tasks == "process"
    with pytest.raises(EngineError, match="is not on this machine") as caught:
        task_kind.choose("docker", nowhere)
    assert caught.value.hint == "opsctl sandbox up --tasks process"


def environ(home: Path) -> dict[str, str]:
    return {"PATH": "", "HOME": str(home), "DOCKER_HOST": f"unix://{home}/nobody.sock"}


def test_without_an_engine_tasks_are_processes_and_up_says_why(tmp_path: Path) -> None:
    home = Home(tmp_path)
    said = [event.message for event in lifecycle.up(home, Settings(), environ(tmp_path))]
    sandbox = home.running()
    list(lifecycle.down(home))

    why = f"no Docker engine answers at unix://{tmp_path}/nobody.sock"
    assert f"tasks are processes on this machine: {why}" in said
    assert sandbox is not None and sandbox.settings.tasks == "process"
    assert sandbox.engine == ""


def test_containers_without_an_engine_are_an_error_with_a_way_out(tmp_path: Path) -> None:
    settings = Settings(tasks="docker")
    with pytest.raises(SandboxError, match="no Docker engine answers at unix:") as caught:
        list(lifecycle.up(Home(tmp_path), settings, environ(tmp_path)))
    assert caught.value.exit_code == 1
    assert caught.value.hint == "start Docker, or opsctl sandbox up --tasks process"
    assert Home(tmp_path).running() is None
