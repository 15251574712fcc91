"""Refuse parameters that do not go together; botocore's models do not hold these rules.

Sources are in docs/aws-facts.md. Where AWS's own words are not public, ours name the parameters.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from botocore.model import OperationModel

from opsctl_sandbox.wire import codec, models
from opsctl_sandbox.wire.calls import Refused, Structure
from opsctl_sandbox.wire.codec import Named
from opsctl_sandbox.wire.http import Request

_GROUP = ("logGroupName", "logGroupIdentifier")
_QUERIED = ("logGroupName", "logGroupNames", "logGroupIdentifiers")
_SOURCE = re.compile(r"\s*(?:#.*\n\s*)*source\b", re.IGNORECASE)
_STATISTICS = ("Statistic", "ExtendedStatistic")
_METRICS = ("MetricName", "Metrics", "EvaluationCriteria")
_MISSING_DATA = ("breaching", "notBreaching", "ignore", "missing")
_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86_400, 604_800
_CAPITAL = re.compile(r"[A-Z]")
_ENTITY = re.compile(r"arn:[\w-]+:iam::\d{12}:(?:user|group|role)/.+")
_SECRET, _SECRET_NAME = ("SecretString", "SecretBinary"), re.compile(r"[\w/+=.@!-]+", re.ASCII)
_PARAMETER_NAME, _LEVELS = re.compile(r"[\w./-]+", re.ASCII), 15
Rule = Callable[[Structure], None]


def check(named: Named, model: OperationModel, request: Request) -> None:
    """Raise `Refused` when the call's parameters do not go together."""
    rule = _RULES.get((named.service, named.operation))
    if rule is not None:
        rule(codec.parameters(named, model, request))
    if named.service == "ec2":
        values = codec.parameters(named, model, request)
        _page_size(model, values)
        _filters(model, values)
        if values.get("DryRun"):
            sentence = "Request would have succeeded, but DryRun flag is set."
            raise Refused("DryRunOperation", sentence, status=412)


def _page_size(model: OperationModel, request: Structure) -> None:
    size = request.get("MaxResults")
    if size is None or model.input_shape is None:
        return
    limits = model.input_shape.members["MaxResults"].metadata
    start = f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value"
    if size < limits.get("min", size):
        raise Refused("InvalidParameterValue", f"{start} greater than {limits['min']}.")
    if size > limits.get("max", size):
        raise Refused("InvalidParameterValue", f"{start} smaller than {limits['max']}.")


def _filters(model: OperationModel, request: Structure) -> None:
    known = models.filters(model)
    for one in request.get("Filters") or ():
        name = one.get("Name", "null")
        # EC2 takes `isDefault` as well as `is-default`.
        dashed = _CAPITAL.sub(lambda match: f"-{match[0].lower()}", name)
        if known and dashed not in known and not name.startswith("tag:"):
            raise Refused("InvalidParameterValue", f"The filter '{name}' is invalid")


def alarm(properties: Structure) -> str:
    """Return why CloudWatch takes no such alarm; '' when it does."""
    if len(_given(properties, _METRICS)) != 1:
        return f"An alarm must have exactly one of {_listed(_METRICS)}"
    treatment = properties.get("TreatMissingData", "missing")
    if treatment not in _MISSING_DATA:
        return f"TreatMissingData must be one of {', '.join(_MISSING_DATA)}"
    periods = int(properties.get("EvaluationPeriods") or 0)
    if int(properties.get("DatapointsToAlarm") or 0) > periods:
        return "DatapointsToAlarm must be less than or equal to EvaluationPeriods"
    return _static_alarm(properties, periods) if "MetricName" in properties else ""


def _static_alarm(properties: Structure, periods: int) -> str:
    for name in ("Period", "Threshold", "EvaluationPeriods"):
        if properties.get(name) is None:
            return f"{name} is required for an alarm with a MetricName"
    if len(_given(properties, _STATISTICS)) != 1:
        return f"An alarm with a MetricName must have exactly one of {_listed(_STATISTICS)}"
    period = int(properties["Period"])
    if period not in (10, 20, 30) and (period < 1 or period % _MINUTE):
        return "Period must be 10, 20, 30 or a multiple of 60"
    long, limit = ("week", _WEEK) if period >= _HOUR else ("day", _DAY)
    if period * periods > limit:
        return (
            f"Metrics cannot be checked across more than a {long} (EvaluationPeriods * Period must "
            f"be <= {limit}) for alarms using period {'>=' if period >= _HOUR else '<'} {_HOUR}"
        )
    return ""


def _put_alarm(request: Structure) -> None:
    if reason := alarm(request):
        raise Refused("ValidationError", reason)


def _span(code: str) -> Rule:
    """Return the rule that the time that is asked for ends after it starts."""

    def run(request: Structure) -> None:
        start, end = request["StartTime"], request["EndTime"]
        if start == end:
            raise Refused(code, "The parameter StartTime must not equal parameter EndTime.")
        if start > end:
            raise Refused(code, "The parameter StartTime must be less than the parameter EndTime.")

    return run


def _start_query(request: Structure) -> None:
    given = _given(request, _QUERIED)
    source = bool(_SOURCE.match(request["queryString"]))
    if len(given) + source != 1:
        raise Refused(
            "InvalidParameterException", f"A query must have exactly one of {_listed(_QUERIED)}"
        )
    if request["endTime"] < request["startTime"]:
        raise Refused("InvalidParameterException", "endTime must not be before startTime")


def _filter_events(request: Structure) -> None:
    _one_group(request)
    names = ("logStreamNames", "logStreamNamePrefix")
    if len(_given(request, names)) > 1:
        sentence = f"You must not include both {' and '.join(names)}"
        raise Refused("InvalidParameterException", sentence)


def _one_group(request: Structure) -> None:
    if len(_given(request, _GROUP)) != 1:
        sentence = f"You must include either {' or '.join(reversed(_GROUP))}, but not both."
        raise Refused("InvalidParameterException", sentence)


def _simulate(request: Structure) -> None:
    principal = request["PolicySourceArn"]
    if not _ENTITY.fullmatch(principal):
        sentence = f"Invalid Entity Arn: {principal} does not clearly define entity type and name."
        raise Refused("InvalidInput", sentence)
    for resource in request.get("ResourceArns") or ():
        if resource != "*" and not resource.startswith("arn:"):
            sentence = f"ResourceNames are not in a valid ARN format: {resource}."
            raise Refused("InvalidInput", sentence)


def _create_secret(request: Structure) -> None:
    if not _SECRET_NAME.fullmatch(request["Name"]):
        sentence = (
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the "
            "following: -/_+=.@!"
        )
        raise Refused("ValidationException", sentence)
    _one_secret(request)


def _put_secret(request: Structure) -> None:
    _one_secret(request)
    if not _given(request, _SECRET):
        sentence = "You must provide either SecretString or SecretBinary."
        raise Refused("InvalidRequestException", sentence)


def _one_secret(request: Structure) -> None:
    if len(_given(request, _SECRET)) > 1:
        sentence = (
            "You can't specify both a binary secret value and a string secret value in the same "
            "secret."
        )
        raise Refused("InvalidParameterException", sentence)


def _put_parameter(request: Structure) -> None:
    name = request["Name"].strip()
    if not name.startswith("arn:") and not _PARAMETER_NAME.fullmatch(name):
        sentence = (
            "Parameter name: each sub-path can be formed as a mix of letters, numbers and the "
            "following 3 symbols .-_"
        )
        raise Refused("ValidationException", sentence)
    if name.startswith("/") and name.count("/") > _LEVELS:
        sentence = f"A parameter has at most {_LEVELS} levels in its hierarchy"
        raise Refused("HierarchyLevelLimitExceededException", sentence)


def _needs(code: str, names: Sequence[str], sentence: str = "", *, most: int = 9) -> Rule:
    """Return the rule that at least one of the parameters, and at most `most`, must be there."""

    def run(request: Structure) -> None:
        if not 1 <= len(_given(request, names)) <= most:
            raise Refused(code, sentence or f"You must specify {_listed(names)}")

    return run


def _given(request: Structure, names: Sequence[str]) -> list[str]:
    return [name for name in names if request.get(name) not in (None, "", [])]


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


_RULES: Mapping[tuple[str, str], Rule] = {
    ("autoscaling", "TerminateInstanceInAutoScalingGroup"): _needs(
        "ValidationError", ("InstanceId", "InstanceIds"), most=1
    ),
    ("cloudformation", "DescribeEvents"): _needs(
        "ValidationError", ("StackName", "ChangeSetName", "OperationId")
    ),
    ("cloudformation", "GetTemplate"): _needs("ValidationError", ("StackName", "ChangeSetName")),
    ("elasticache", "CreateSnapshot"): _needs(
        "InvalidParameterCombination", ("CacheClusterId", "ReplicationGroupId")
    ),
    ("elasticloadbalancing", "DescribeListeners"): _needs(
        "ValidationError",
        ("ListenerArns", "LoadBalancerArn"),
        "You must specify either listener ARNs or a load balancer ARN",
    ),
    ("iam", "SimulatePrincipalPolicy"): _simulate,
    ("logs", "DescribeLogStreams"): _one_group,
    ("logs", "FilterLogEvents"): _filter_events,
    ("logs", "GetLogEvents"): _one_group,
    ("logs", "StartQuery"): _start_query,
    ("monitoring", "GetMetricData"): _span("ValidationError"),
    ("monitoring", "GetMetricStatistics"): _span("InvalidParameterValue"),
    ("monitoring", "PutMetricAlarm"): _put_alarm,
    ("secretsmanager", "CreateSecret"): _create_secret,
    ("secretsmanager", "PutSecretValue"): _put_secret,
    ("ssm", "PutParameter"): _put_parameter,
}
