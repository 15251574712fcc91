"""Parameters that do not go together are refused, as on AWS."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from opsctl_sandbox.wire import codec, models, rules
from opsctl_sandbox.wire.calls import Refused
from opsctl_sandbox.wire.http import Request

NOW = datetime(2026, 11, 27, tzinfo=UTC)
ALARM = {
    "AlarmName": "a",
    "MetricName": "m",
    "Namespace": "n",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "Threshold": 1.0,
    "ComparisonOperator": "LessThanThreshold",
}
QUERY = {"logGroupName": "g", "queryString": "fields @message", "startTime": 1, "endTime": 2}
SPAN = {"MetricDataQueries": [], "StartTime": NOW, "EndTime": NOW}
ROLE = "arn:aws:iam::123456789012:role/r"
SESSION = "arn:aws:sts::123456789012:assumed-role/r/s"


def ask(service: str, operation: str, values: dict[str, Any]) -> None:
    """Send it as JSON, whatever the service takes; EC2 has other names there, so as a form."""
    model = models.operation(service, operation)
    assert model is not None
    if service == "ec2":
        form = {"content-type": "application/x-www-form-urlencoded"}
        sent = Request("POST", "/", "", form, urlencode(values).encode())
        rules.check(codec.Named(service, operation, "ec2", "us-east-1", "key"), model, sent)
        return
    named = codec.Named(service, operation, "json", "us-east-1", "key")
    body = json.dumps(values, default=datetime.timestamp).encode()
    rules.check(named, model, Request("POST", "/", "", {}, body))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"Period": 7}, "Period must be 10, 20, 30 or a multiple of 60"),
        ({"Period": 0}, "Period must be 10, 20, 30 or a multiple of 60"),
        ({"Period": None}, "Period is required for an alarm with a MetricName"),
        ({"Threshold": None}, "Threshold is required for an alarm with a MetricName"),
        ({"MetricName": None}, "An alarm must have exactly one of MetricName, Metrics or"),
        ({"Metrics": [{"Id": "m"}]}, "An alarm must have exactly one of MetricName, Metrics or"),
        ({"Statistic": None}, "An alarm with a MetricName must have exactly one of Statistic or"),
        ({"ExtendedStatistic": "p90"}, "An alarm with a MetricName must have exactly one of"),
        ({"TreatMissingData": "no"}, "TreatMissingData must be one of breaching, notBreaching"),
        (
            {"DatapointsToAlarm": 4},
            "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
        ),
        (
            {"Period": 60, "EvaluationPeriods": 1441},
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be "
            "<= 86400) for alarms using period < 3600",
        ),
        (
            {"Period": 86400, "EvaluationPeriods": 8},
            "Metrics cannot be checked across more than a week (EvaluationPeriods * Period must be "
            "<= 604800) for alarms using period >= 3600",
        ),
    ],
)
def test_cloudwatch_takes_no_such_alarm(changed: dict[str, Any], sentence: str) -> None:
    given = {name: value for name, value in (ALARM | changed).items() if value is not None}
    with pytest.raises(Refused) as refused:
        ask("monitoring", "PutMetricAlarm", given)
    assert refused.value.code == "ValidationError"
    assert refused.value.message.startswith(sentence)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"Period": 10},
        {"Period": 20},
        {"Period": 3600, "EvaluationPeriods": 168},
        {"Period": 60, "EvaluationPeriods": 1440},
        {"DatapointsToAlarm": 3, "TreatMissingData": "ignore"},
    ],
)
def test_cloudwatch_takes_such_an_alarm(changed: dict[str, Any]) -> None:
    ask("monitoring", "PutMetricAlarm", ALARM | changed)


@pytest.mark.parametrize(
    ("service", "operation", "given", "code"),
    [
        ("autoscaling", "TerminateInstanceInAutoScalingGroup", {}, "ValidationError"),
        ("cloudformation", "DescribeEvents", {}, "ValidationError"),
        ("cloudformation", "GetTemplate", {}, "ValidationError"),
        ("ec2", "DescribeVpcs", {"Filter.1.Name": "nope"}, "InvalidParameterValue"),
        ("ec2", "DescribeImages", {"Filter.1.Value.1": "x"}, "InvalidParameterValue"),
        ("ec2", "DescribeVpcs", {"MaxResults": 4}, "InvalidParameterValue"),
        ("ec2", "DescribeVpcs", {"MaxResults": 1001}, "InvalidParameterValue"),
        ("elasticache", "CreateSnapshot", {"SnapshotName": "s"}, "InvalidParameterCombination"),
        ("elasticloadbalancing", "DescribeListeners", {}, "ValidationError"),
        ("iam", "SimulatePrincipalPolicy", {"PolicySourceArn": SESSION}, "InvalidInput"),
        (
            *("iam", "SimulatePrincipalPolicy"),
            {"PolicySourceArn": ROLE, "ResourceArns": ["bucket"]},
            "InvalidInput",
        ),
        ("logs", "DescribeLogStreams", {}, "InvalidParameterException"),
        (
            *("logs", "FilterLogEvents"),
            {"logGroupName": "g", "logStreamNames": ["s"], "logStreamNamePrefix": "s"},
            "InvalidParameterException",
        ),
        (
            *("logs", "GetLogEvents"),
            {"logGroupName": "g", "logGroupIdentifier": "g"},
            "InvalidParameterException",
        ),
        ("logs", "StartQuery", QUERY | {"endTime": 0}, "InvalidParameterException"),
        ("logs", "StartQuery", QUERY | {"logGroupNames": ["h"]}, "InvalidParameterException"),
        ("logs", "StartQuery", QUERY | {"logGroupName": ""}, "InvalidParameterException"),
        ("monitoring", "GetMetricData", SPAN, "ValidationError"),
        ("monitoring", "GetMetricStatistics", SPAN, "InvalidParameterValue"),
        ("secretsmanager", "CreateSecret", {"Name": "a b"}, "ValidationException"),
        (
            *("secretsmanager", "CreateSecret"),
            {"Name": "a", "SecretString": "s", "SecretBinary": "cw=="},
            "InvalidParameterException",
        ),
        ("secretsmanager", "PutSecretValue", {"SecretId": "a"}, "InvalidRequestException"),
        ("ssm", "PutParameter", {"Name": "a b", "Value": "v"}, "ValidationException"),
        (
            *("ssm", "PutParameter"),
            {"Name": "/a" * 16, "Value": "v"},
            "HierarchyLevelLimitExceededException",
        ),
        (
            *("monitoring", "GetMetricData"),
            SPAN | {"EndTime": datetime(2026, 11, 26, tzinfo=UTC)},
            "ValidationError",
        ),
    ],
)
def test_these_do_not_go_together(
    service: str, operation: str, given: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        ask(service, operation, given)
    assert (refused.value.code, refused.value.status) == (code, 400)


@pytest.mark.parametrize(
    ("service", "operation", "given"),
    [
        ("ec2", "DescribeVpcs", {"Filter.1.Name": "isDefault", "Filter.2.Name": "tag:Name"}),
        ("ec2", "DescribeVpcEndpoints", {"Filter.1.Name": "vpc-id"}),
        ("iam", "SimulatePrincipalPolicy", {"PolicySourceArn": ROLE, "ResourceArns": ["*"]}),
        ("logs", "FilterLogEvents", {"logGroupIdentifier": "g", "logStreamNamePrefix": "s"}),
        ("logs", "StartQuery", QUERY | {"endTime": 1}),
        ("secretsmanager", "CreateSecret", {"Name": "a/b_+=.@!-1"}),
        ("ssm", "PutParameter", {"Name": "/a" * 15, "Value": "v"}),
    ],
)
def test_these_do(service: str, operation: str, given: dict[str, Any]) -> None:
    ask(service, operation, given)


def test_a_dry_run_ends_before_anything_is_done() -> None:
    with pytest.raises(Refused) as refused:
        ask("ec2", "TerminateInstances", {"InstanceId.1": "i-1", "DryRun": "true"})
    assert (refused.value.code, refused.value.status) == ("DryRunOperation", 412)
