"""The wire: what a client of each protocol sends is read, and it can read what it gets."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore import parsers, serialize

from opsctl_sandbox.process.home import Sandbox
from opsctl_sandbox.wire import codec, models
from opsctl_sandbox.wire.calls import Refused
from opsctl_sandbox.wire.http import Answer, Request
from tests.opsctl_sandbox.clients import signed

WHEN = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("ecs", "DescribeTasks", "json", {"cluster": "c", "tasks": ["a", "b"]}),
    (
        "cloudformation",
        "CreateChangeSet",
        "query",
        {
            "StackName": "s",
            "ChangeSetName": "c",
            "Parameters": [{"ParameterKey": "K", "ParameterValue": "a&b = c"}],
            "Capabilities": ["CAPABILITY_IAM"],
            "IncludeNestedStacks": True,
        },
    ),
    ("ec2", "DescribeSubnets", "ec2", {"Filters": [{"Name": "vpc-id", "Values": ["v", "w"]}]}),
    (
        "monitoring",
        "GetMetricData",
        codec.CBOR,
        {
            "StartTime": WHEN,
            "EndTime": WHEN,
            "MetricDataQueries": [{"Id": "m", "Expression": "1", "ReturnData": False}],
        },
    ),
    ("autoscaling", "DescribeScalingActivities", "query", {"ActivityIds": [], "MaxRecords": 5}),
]


def request(service: str, operation: str, protocol: str, values: dict[str, Any]) -> Request:
    model = models.operation(service, operation)
    assert model is not None
    named = codec.Named(service, operation, protocol, "us-east-1", "key")
    credential = f"Credential=key/20260101/us-east-1/{service}/aws4_request"
    blank = Request("POST", "/", "", {"authorization": f"AWS4-HMAC-SHA256 {credential}"})
    made = codec.forward(named, model, blank, values)
    if protocol == codec.CBOR:
        path = f"/service/{model.metadata['targetPrefix']}/operation/{operation}"
        return Request("POST", path, "", made.headers, made.body)
    return made


@pytest.mark.parametrize(("service", "operation", "protocol", "values"), CASES)
def test_a_call_is_named_and_its_parameters_are_what_was_sent(
    service: str, operation: str, protocol: str, values: dict[str, Any]
) -> None:
    sent = request(service, operation, protocol, values)
    named = codec.name(sent)
    model = models.operation(service, operation)

    assert named is not None and model is not None
    assert (named.service, named.operation, named.protocol) == (service, operation, protocol)
    assert codec.parameters(named, model, sent) == values


RESULTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("ecs", "ListTasks", "json", {"taskArns": ["a"], "nextToken": "t"}),
    (
        "cloudformation",
        "DescribeStackEvents",
        "query",
        {"StackEvents": [{"StackId": "s", "EventId": "<&>", "StackName": "n", "Timestamp": WHEN}]},
    ),
    ("ec2", "DescribeVpcs", "ec2", {"Vpcs": [{"VpcId": "v", "IsDefault": True}]}),
    (
        "monitoring",
        "GetMetricData",
        codec.CBOR,
        {"MetricDataResults": [{"Id": "m", "Timestamps": [WHEN], "Values": [1.5]}]},
    ),
]


@pytest.mark.parametrize(("service", "operation", "protocol", "value"), RESULTS)
def test_a_client_reads_the_answer(
    service: str, operation: str, protocol: str, value: dict[str, Any]
) -> None:
    model = models.operation(service, operation)
    assert model is not None
    named = codec.Named(service, operation, protocol, "us-east-1", "key")

    assert codec.result(named, model, codec.success(named, model, value)) == value


@pytest.mark.parametrize("protocol", ["json", "query", "ec2", codec.CBOR, "rest-xml"])
def test_a_client_reads_the_refusal(protocol: str) -> None:
    answer: Answer = codec.refusal(protocol, Refused("Broken", "a < b", status=409))
    content = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    parser: Any = parsers.create_parser(protocol)
    error = parser.parse(content, None)["Error"]

    assert (error["Code"], error["Message"]) == ("Broken", "a < b")


def test_a_client_that_speaks_cbor_is_served(sandbox: Sandbox) -> None:
    model = models.operation("monitoring", "ListMetrics")
    assert model is not None
    made = serialize.create_serializer(codec.CBOR).serialize_to_request({"Namespace": "x"}, model)
    sent = signed(sandbox, "monitoring", made["url_path"], made["body"], made["headers"])
    with sent as found:
        headers = {name.lower(): value for name, value in found.headers.items()}
        content = {"status_code": found.status, "headers": headers, "body": found.read()}

    parser: Any = parsers.create_parser(codec.CBOR)
    assert parser.parse(content, model.output_shape)["Metrics"] == []


@pytest.mark.parametrize("protocol", ["ec2", "query", "rest-xml"])
def test_control_characters_leave_an_answer_readable(protocol: str) -> None:
    answer = codec.refusal(protocol, Refused("ValidationError", "no stack 'a\x00b\x1b'"))
    content = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    parser: Any = parsers.create_parser(protocol)
    error = parser.parse(content, None)["Error"]
    assert (error["Code"], error["Message"]) == ("ValidationError", "no stack 'a?b?'")


@pytest.mark.parametrize(("written", "read"), [(b"a\x00", "a?"), (b"<a & b>", "<a & b>")])
def test_an_error_of_ministack_is_read_whatever_it_names(written: bytes, read: str) -> None:
    body = b"<ErrorResponse><Error><Code>C</Code><Message>%s</Message></Error></ErrorResponse>"
    named = codec.Named("cloudformation", "DescribeStacks", "query", "us-east-1", "")
    model = models.operation("cloudformation", "DescribeStacks")
    assert model is not None
    with pytest.raises(Refused) as refused:
        codec.result(named, model, Answer(400, {}, body % written))
    assert (refused.value.code, refused.value.message) == ("C", read)
