"""What of a container definition becomes an option of the engine."""

from collections.abc import Mapping
from typing import Any

from opsctl_sandbox.host import container_options


def host(definition: Mapping[str, Any], *, limit: int | None = None) -> dict[str, Any]:
    return container_options.host(definition, limit=lambda name: limit)


def test_what_a_definition_does_not_say_stays_as_the_image_has_it() -> None:
    assert container_options.container({"name": "web"}) == {"healthcheck": {"Test": ["NONE"]}}
    assert "mem_limit" not in host({"name": "web"})


def test_what_a_definition_says_overrules_the_image() -> None:
    definition = {
        "command": ["run"],
        "entryPoint": ["sh", "-c"],
        "user": "10001",
        "workingDirectory": "/app",
    }

    made = container_options.container(definition)
    assert made["command"] == ["run"]
    assert made["entrypoint"] == ["sh", "-c"]
    assert (made["user"], made["working_dir"]) == ("10001", "/app")


def test_memory_is_a_limit_without_swap_and_cpu_is_shares() -> None:
    made = host({"memory": 400, "memoryReservation": 200, "cpu": 1})

    assert made["mem_limit"] == made["memswap_limit"] == "400m"
    assert made["mem_reservation"] == "200m"
    assert made["cpu_shares"] == 2, "the engine takes no less"


def test_a_read_only_root_and_its_tmpfs_are_kept() -> None:
    tmpfs = [
        {"containerPath": "/tmp", "size": 64, "mountOptions": ["rw", "noexec"]},
        {"containerPath": "/run", "size": 1},
    ]
    made = host({"readonlyRootFilesystem": True, "linuxParameters": {"tmpfs": tmpfs}})

    assert made["read_only"] is True
    assert made["tmpfs"] == {"/tmp": "size=64m,rw,noexec", "/run": "size=1m"}


def test_a_ulimit_above_what_the_machine_gives_is_left_out() -> None:
    parameters = {"ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 65536}]}

    assert host(parameters, limit=20000)["ulimits"] == []
    given = [{"Name": "nofile", "Soft": 1024, "Hard": 65536}]
    assert host(parameters, limit=65536)["ulimits"] == given
    assert host(parameters, limit=None)["ulimits"] == given


def test_a_ulimit_without_an_end_is_left_out_unless_the_machine_has_none() -> None:
    parameters = {"ulimits": [{"name": "core", "softLimit": -1, "hardLimit": -1}]}

    assert host(parameters, limit=20000)["ulimits"] == []
    assert len(host(parameters, limit=None)["ulimits"]) == 1


def test_the_machine_gives_nothing_of_a_limit_that_it_does_not_know() -> None:
    assert container_options.machine_limit("no_such_limit") == 0
    nofile = container_options.machine_limit("nofile")
    assert nofile is None or nofile > 0
