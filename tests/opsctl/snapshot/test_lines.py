from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from opsctl.snapshot import lines as words
from opsctl.snapshot.service import Task

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_logs.client import CloudWatchLogsClient

TASK = Task("t1", "STOPPED", "td:2", "ecs-svc/2")
CONTAINER: dict[str, Any] = {
    "name": "app",
    "logConfiguration": {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/app/stdout", "awslogs-stream-prefix": "caddy"},
    },
}
ASKED = {
    "logGroupName": "/app/stdout",
    "logStreamName": "caddy/app/t1",
    "startFromHead": False,
    "limit": 1,
}


@pytest.fixture
def ecs() -> Iterator["ECSClient"]:
    client = boto3.client(
        "ecs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        stub.add_response(
            "describe_task_definition", {"taskDefinition": {"containerDefinitions": [CONTAINER]}}
        )
        yield client
    client.close()


@pytest.fixture
def logs() -> Iterator[tuple["CloudWatchLogsClient", Stubber]]:
    client = boto3.client(
        "logs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        yield client, stub
    client.close()


def test_the_last_line_is_waited_for_because_the_log_driver_is_late(
    ecs: "ECSClient", logs: tuple["CloudWatchLogsClient", Stubber]
) -> None:
    client, stub = logs
    waits: list[float] = []
    stub.add_client_error("get_log_events", "ResourceNotFoundException")
    stub.add_response("get_log_events", {"events": []}, ASKED)
    stub.add_response("get_log_events", {"events": [{"message": "no such file\n"}]}, ASKED)

    assert words.last(ecs, client, TASK, sleep=waits.append) == "no such file"
    assert len(waits) == 2


def test_a_caller_who_may_not_read_logs_gets_the_rest_of_the_story(
    ecs: "ECSClient", logs: tuple["CloudWatchLogsClient", Stubber]
) -> None:
    client, stub = logs
    stub.add_client_error("get_log_events", "AccessDeniedException")

    assert words.last(ecs, client, TASK, sleep=lambda _: None) == ""


def test_a_way_that_is_broken_does_not_hide_what_happened(
    ecs: "ECSClient", logs: tuple["CloudWatchLogsClient", Stubber]
) -> None:
    client, stub = logs
    stub.add_client_error("get_log_events", "InternalFailure", http_status_code=500)
    assert words.last(ecs, client, TASK, sleep=lambda _: None) == ""

    nobody = boto3.client(
        "ecs",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with closing(nobody):
        assert words.last(nobody, client, TASK, sleep=lambda _: None) == ""


def test_a_container_that_logs_elsewhere_has_no_stream() -> None:
    assert words.stream({"name": "app"}, "t1") is None
    assert words.stream({"name": "app", "logConfiguration": {"logDriver": "splunk"}}, "t1") is None
    assert words.stream(CONTAINER, "t1") == ("/app/stdout", "caddy/app/t1")
