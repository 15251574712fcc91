from typing import Any

import pytest

from opsctl.snapshot import task_definitions
from opsctl.snapshot.task_definitions import LogStream
from tests.opsctl.snapshot.conftest import Stub


@pytest.mark.parametrize(
    ("definition", "size"),
    [
        (
            {
                "containerDefinitions": [
                    {"cpu": 512, "memory": 400, "portMappings": [{"hostPort": 0}]}
                ]
            },
            (512, 400, frozenset()),
        ),
        (
            {
                "cpu": "256",
                "memory": "512",
                "containerDefinitions": [{"cpu": 1, "portMappings": [{"hostPort": 80}]}],
            },
            (256, 512, frozenset({80})),
        ),
        (
            {"containerDefinitions": [{"cpu": 1, "memory": 400, "memoryReservation": 100}]},
            (1, 100, frozenset()),
        ),
    ],
)
def test_a_task_takes_the_room_that_ecs_reserves_for_it(
    stub: Stub, definition: dict[str, Any], size: tuple[int, int, frozenset[int]]
) -> None:
    ecs, stubber = stub("ecs")
    stubber.add_response("describe_task_definition", {"taskDefinition": definition})
    read = task_definitions.describe(ecs, "td:1")
    assert (read.cpu, read.memory, read.host_ports) == size


def test_environment_values_are_not_kept_and_secrets_are_references(stub: Stub) -> None:
    ecs, stubber = stub("ecs")
    container = {
        "image": "app@sha256:1",
        "environment": [{"name": "TOKEN", "value": "canary"}],
        "secrets": [{"name": "KEY", "valueFrom": "arn:secret"}],
    }
    stubber.add_response(
        "describe_task_definition", {"taskDefinition": {"containerDefinitions": [container]}}
    )
    read = task_definitions.describe(ecs, "td:1")
    assert read.environment == ("TOKEN",)
    assert read.secrets == (("KEY", "arn:secret"),)
    assert "canary" not in repr(read)


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (
            {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "/g", "awslogs-stream-prefix": "caddy"},
            },
            (LogStream("/g", "caddy", "app"),),
        ),
        ({"logDriver": "splunk"}, ()),
        ({"logDriver": "awslogs", "options": {"awslogs-group": "/g"}}, ()),
        (None, ()),
    ],
)
def test_only_the_awslogs_driver_with_a_prefix_names_a_stream(
    stub: Stub, configuration: dict[str, Any] | None, expected: tuple[LogStream, ...]
) -> None:
    ecs, stubber = stub("ecs")
    container: dict[str, Any] = {"name": "app"}
    if configuration:
        container["logConfiguration"] = configuration
    stubber.add_response(
        "describe_task_definition", {"taskDefinition": {"containerDefinitions": [container]}}
    )
    read = task_definitions.describe(ecs, "td:1")
    assert read.logs == expected


def test_a_stream_is_named_by_prefix_container_and_task() -> None:
    assert LogStream("/g", "caddy", "app").name("t1") == "caddy/app/t1"


def test_what_somebody_deregistered_or_deleted_is_named(stub: Stub) -> None:
    ecs, stubber = stub("ecs")
    arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1"
    for status in ("ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"):
        stubber.add_response("describe_task_definition", {"taskDefinition": {"status": status}})
    stubber.add_client_error("describe_task_definition", "ClientException")
    found = [task_definitions.deregistered(ecs, arn) for _ in range(4)]
    assert found == ["", "web:1", "web:1", "web:1"]
