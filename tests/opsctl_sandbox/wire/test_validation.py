"""Parameters that a service's model forbids are refused in AWS's words, before anything is done."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from opsctl_sandbox.wire import codec, models, validation
from opsctl_sandbox.wire.calls import Refused
from opsctl_sandbox.wire.http import Request


def refusal(service: str, operation: str, values: dict[str, Any], protocol: str = "") -> Refused:
    model = models.operation(service, operation)
    assert model is not None
    protocol = protocol or str(model.service_model.metadata["protocol"])
    named = codec.Named(service, operation, protocol, "us-east-1", "key")
    made = Request("POST", "/", "", {}, json.dumps(values).encode())
    if protocol in ("query", "ec2"):
        form = {"content-type": "application/x-www-form-urlencoded"}
        made = Request("POST", "/", "", form, urlencode(values).encode())
    with pytest.raises(Refused) as refused:
        validation.check(named, model, made)
    return refused.value


ONE = "1 validation error detected: "


@pytest.mark.parametrize(
    ("service", "operation", "values", "code", "message"),
    [
        (
            *("ssm", "GetParameters", {"Names": []}, "ValidationException"),
            f"{ONE}Value '[]' at 'names' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            *("logs", "FilterLogEvents", {"limit": 10001}, "InvalidParameterException"),
            f"{ONE}Value '10001' at 'limit' failed to satisfy constraint: "
            "Member must have value less than or equal to 10000",
        ),
        (
            *("ecs", "DeleteCluster", {}, "InvalidParameterException"),
            f"{ONE}Value null at 'cluster' failed to satisfy constraint: Member must not be null",
        ),
        (
            *("cloudformation", "DeleteStack", {"StackName": "a", "ClientRequestToken": "a_b"}),
            "ValidationError",
            f"{ONE}Value 'a_b' at 'clientRequestToken' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9][-a-zA-Z0-9]*",
        ),
        (
            *("autoscaling", "DescribePolicies", {"PolicyNames.member.1": ""}, "ValidationError"),
            f"{ONE}Value '' at 'policyNames.1.member' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            *("monitoring", "SetAlarmState", {"AlarmName": "a", "StateReason": "r"}),
            *("ValidationError", f"{ONE}Value null at 'stateValue' failed to satisfy constraint: "),
        ),
        (
            *("ecs", "TagResource", {"resourceArn": "a", "tags": [{}]}),
            "InvalidParameterException",
            f"{ONE}Value null at 'tags.1.member.key' failed to satisfy constraint: ",
        ),
        (
            *("elasticache", "DeleteCacheCluster", {}, "InvalidParameterValue"),
            "The parameter CacheClusterId must be provided and must not be blank.",
        ),
        (
            *("ec2", "TerminateInstances", {}, "MissingParameter"),
            "The request must contain the parameter InstanceIds",
        ),
    ],
)
def test_what_the_model_forbids_is_refused(
    service: str, operation: str, values: dict[str, Any], code: str, message: str
) -> None:
    error = refusal(service, operation, values, "json" if service == "monitoring" else "")
    assert (error.code, error.status) == (code, 400)
    assert error.message.startswith(message)


@pytest.mark.parametrize(
    ("service", "operation", "values", "code"),
    [
        ("ecs", "UpdateService", {"service": "s", "desiredCount": "two"}, "SerializationException"),
        ("ecs", "DescribeTasks", {"tasks": "t"}, "SerializationException"),
        ("logs", "CreateLogGroup", {"tags": [1]}, "SerializationException"),
        ("autoscaling", "SetDesiredCapacity", {"DesiredCapacity": "two"}, "MalformedInput"),
        ("ec2", "DescribeInstances", {"MaxResults": "two"}, "InvalidParameterValue"),
    ],
)
def test_what_has_not_the_types_of_the_model_is_refused(
    service: str, operation: str, values: dict[str, Any], code: str
) -> None:
    assert refusal(service, operation, values).code == code


def test_what_is_not_json_is_refused() -> None:
    model = models.operation("ecs", "ListClusters")
    assert model is not None
    named = codec.Named("ecs", "ListClusters", "json", "us-east-1", "key")
    with pytest.raises(Refused) as refused:
        validation.check(named, model, Request("POST", "/", "", {}, b"{"))
    assert refused.value.code == "SerializationException"


@pytest.mark.parametrize(
    "service", ["application-autoscaling", "autoscaling", "ecs", "elasticloadbalancing", "logs"]
)
def test_no_operation_begins_without_a_parameter_that_it_needs(service: str) -> None:
    for name in models.operations(service):
        model = models.operation(service, name)
        assert model is not None
        if model.input_shape is not None and model.input_shape.required_members:
            refusal(service, name, {})
