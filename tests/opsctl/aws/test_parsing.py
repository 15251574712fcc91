"""What is of another type than the service's model says is refused where it is read."""

import json
from typing import Any

import boto3.session
import pytest

from opsctl import aws
from opsctl.aws import parsing
from opsctl.aws.faults import Lacking

ECS: Any = boto3.session.Session(region_name="us-east-1").client("ecs").meta.service_model


def read(operation: str, answer: Any) -> Any:
    parser = parsing.factory().create_parser("json")
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    response = {"body": body, "headers": {}, "status_code": 200}
    return parser.parse(response, ECS.operation_model(operation).output_shape)


@pytest.mark.parametrize(
    "answer",
    [
        {"taskArns": "arn"},
        {"taskArns": {"0": "arn"}},
        {"taskArns": [None]},
        {"taskArns": [7]},
        {"taskArns": [["arn"]]},
        {"nextToken": 7},
        [],
        "text",
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_another_type_is_refused(answer: Any) -> None:
    with pytest.raises((ValueError, RecursionError)):
        read("ListTasks", answer)


WRONG: dict[str, list[Any]] = {
    "runningCount": ["1", True, [], float("nan"), float("inf")],
    "createdAt": [True, [], float("nan"), "soon"],
    "enableExecuteCommand": ["true", 1],
    "deployments": [{}, [[]], ["x"], 1],
    "deploymentConfiguration": [[]],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG.items() for value in values]
)
def test_another_type_inside_is_refused(field: str, value: Any) -> None:
    with pytest.raises((ValueError, OverflowError, RuntimeError)):
        read("DescribeServices", {"services": [{field: value}]})


def test_what_is_new_or_null_or_missing_passes() -> None:
    answer = read("DescribeServices", {"services": [{"newest": {"a": 1}, "status": None}]})
    assert answer["services"] == [{}]


def test_a_whole_number_may_be_written_as_another_kind_of_number() -> None:
    answer = read("DescribeServices", {"services": [{"runningCount": 2.0, "createdAt": 1.5e9}]})
    assert answer["services"][0]["runningCount"] == 2


def test_a_missing_key_is_an_error_of_aws_wherever_it_is_looked_for() -> None:
    [service] = read("DescribeServices", {"services": [{"deployments": [{}]}]})["services"]
    assert service.get("status") is None and "status" not in service
    with pytest.raises(Lacking, match="its answer has no `id`") as raised:
        service["deployments"][0]["id"]
    assert aws.fault(raised.value) == "refused" and aws.translate(raised.value) is raised.value
    words = "the service cannot be read: it lacks `status`"
    with pytest.raises(aws.Unreadable, match=words), aws.understood("service"):
        service["status"]
