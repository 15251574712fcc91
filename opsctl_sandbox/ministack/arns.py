"""The ARNs that IAM compares for a call, made from the call's parameters.

Source: the resource types of each action in the Service Authorization Reference.
https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from collections.abc import Iterable, Mapping

from opsctl_sandbox.ministack import records
from opsctl_sandbox.wire.calls import Call, Structure

# By service: parameter -> end of the ARN, where `{}` is the parameter's value. A list gives one ARN
# for each member.
_TAILS: Mapping[str, Mapping[str, str]] = {
    "cloudformation": {"StackName": "stack/{}/*"},
    "ecr": {"repositoryName": "repository/{}", "repositoryNames": "repository/{}"},
    "elasticache": {
        "CacheClusterId": "cluster:{}",
        "ReplicationGroupId": "replicationgroup:{}",
        "SnapshotName": "snapshot:{}",
        "CacheSubnetGroupName": "subnetgroup:{}",
        "UserId": "user:{}",
        "UserGroupId": "usergroup:{}",
    },
    "monitoring": {"AlarmName": "alarm:{}", "AlarmNames": "alarm:{}"},
    "logs": {
        "logGroupName": "log-group:{}:log-stream:{logStreamName}",
        "logGroupIdentifier": "log-group:{}:log-stream:{logStreamName}",
        "logGroupNames": "log-group:{}:log-stream:",
        "logGroupIdentifiers": "log-group:{}:log-stream:",
    },
    "servicequotas": {"QuotaCode": "{ServiceCode}/{}"},
    "sns": {"TopicArn": "{}", "Name": "{}"},
}
# The same, for calls about many resources that name none.
_ALL: Mapping[str, Mapping[str, str]] = {
    "ecr": {"DescribeRepositories": "repository/*"},
    "elasticache": {
        "DescribeCacheClusters": "cluster:*",
        "DescribeReplicationGroups": "replicationgroup:*",
        "DescribeCacheSubnetGroups": "subnetgroup:*",
    },
    "monitoring": {"DescribeAlarms": "alarm:*", "DescribeAlarmHistory": "alarm:*"},
    "cloudformation": {"DescribeStacks": "stack/*/*"},
}
_WITHOUT = frozenset({"ListImports", "ListStacks", "ListExports", "GetTemplateSummary"})
# ECS: what the operation is about -> the parameters that name it.
_ECS: Mapping[str, tuple[str, ...]] = {
    "service": ("service", "services", "serviceName"),
    "task": ("task", "tasks"),
    "container-instance": ("containerInstance", "containerInstances"),
}
_OF_THE_CLUSTER = frozenset({
    "ListContainerInstances", "CreateCluster", "UpdateCluster", "DeleteCluster",
    "PutClusterCapacityProviders", "UpdateClusterSettings", "DescribeClusters",
})  # fmt: skip


def of(call: Call) -> list[str]:
    """Return the ARNs; none if the call names nothing known here or needs no resource."""
    if call.service == "ecs":
        return _ecs(call)
    if call.service in _OTHERS:
        return _OTHERS[call.service](call)
    if call.operation in _WITHOUT:
        return []
    if call.operation == "DescribeSnapshots":  # of a cluster, which IAM ignores
        one = str(call.parameters.get("SnapshotName") or "*")
        return [_arn(call, "elasticache", one, "snapshot:{}")]
    named = [
        _arn(call, call.service, value, tail)
        for parameter, tail in _TAILS.get(call.service, {}).items()
        for value in _values(call.parameters, parameter)
    ]
    everything = _ALL.get(call.service, {}).get(call.operation)
    if not named and everything:
        named = [_arn(call, _prefix(call.service), everything, "{}")]
    return named


def cluster(call: Call) -> str:
    """Return the ARN of the cluster that an ECS call is about."""
    name = str(call.parameters.get("cluster") or "default")
    return _arn(call, "ecs", name, "cluster/{}")


def _values(parameters: Structure, name: str) -> list[str]:
    value = parameters.get(name)
    values = value if isinstance(value, list) else [value]
    return [str(one) for one in values if one]


def _prefix(service: str) -> str:
    return "cloudwatch" if service == "monitoring" else service


def _arn(call: Call, service: str, value: str, tail: str) -> str:
    """Return the ARN for a value, which may be an ARN already."""
    if value.startswith("arn:"):
        return value
    others = {key: str(one) for key, one in call.parameters.items() if isinstance(one, str)}
    filled = tail.replace("{}", value)
    for key in ("logStreamName", "ServiceCode"):
        filled = filled.replace(f"{{{key}}}", others.get(key, ""))
    return f"arn:aws:{_prefix(service)}:{call.region}:{call.account}:{filled}"


def _ecs(call: Call) -> list[str]:
    parameters, name = call.parameters, str(call.parameters.get("cluster") or "default")
    where = name.rpartition("/")[2]
    if call.operation in _OF_THE_CLUSTER:
        names = (*_values(parameters, "clusters"), *_values(parameters, "clusterName")) or (name,)
        return [_arn(call, "ecs", one, "cluster/{}") for one in names]
    if call.operation == "RegisterTaskDefinition":
        return [_arn(call, "ecs", str(parameters["family"]), "task-definition/{}:*")]
    for key in ("serviceDeploymentArn", "serviceDeploymentArns", "resourceArn"):
        if values := _values(parameters, key):
            return values
    if call.operation.startswith("List") and "Service" not in call.operation:
        return []
    return [
        _arn(call, "ecs", one.rpartition("/")[2], f"{kind}/{where}/{{}}")
        for kind, keys in _ECS.items()
        for key in keys
        for one in _values(parameters, key)
    ]


def _load_balancers(call: Call) -> list[str]:
    if call.operation.startswith("Describe"):
        return []
    keys = ("LoadBalancerArn", "TargetGroupArn", "ListenerArn", "ResourceArns")
    return [one for key in keys for one in _values(call.parameters, key)]


def _groups(call: Call) -> list[str]:
    if call.operation.startswith("Describe"):
        return []
    parameters = call.parameters
    names = _values(parameters, "AutoScalingGroupName")
    names += [str(tag["ResourceId"]) for tag in parameters.get("Tags") or () if "ResourceId" in tag]
    return [
        _arn(call, "autoscaling", name, f"autoScalingGroup:{_uuid(name)}:autoScalingGroupName/{{}}")
        for name in dict.fromkeys(names)
    ]


def _uuid(group: str) -> str:
    arn = str((records.group(group) or {}).get("AutoScalingGroupARN", ""))
    return arn.partition("autoScalingGroup:")[2].partition(":")[0]


def _parameters(call: Call) -> list[str]:
    names: Iterable[str] = (
        value for key in ("Name", "Names", "Path") for value in _values(call.parameters, key)
    )
    return [_parameter(call, one) for one in names]


def _parameter(call: Call, name: str) -> str:
    if name.startswith("/aws/service/"):  # AWS's own, without an account
        return f"arn:aws:ssm:{call.region}::parameter{name}"
    return _arn(call, "ssm", name, "parameter{}" if name.startswith("/") else "parameter/{}")


def _secrets(call: Call) -> list[str]:
    """Return secrets' ARNs; the real six characters at their ends are unknown before they exist."""
    return [
        _arn(call, "secretsmanager", one, "secret:{}-AbCdEf")
        for key in ("SecretId", "Name")
        for one in _values(call.parameters, key)
    ]


def _identities(call: Call) -> list[str]:
    tails = {"RoleName": "role/", "InstanceProfileName": "instance-profile/", "UserName": "user/"}
    if arns := _values(call.parameters, "PolicySourceArn"):
        return arns
    given = {key: tail for key, tail in tails.items() if call.parameters.get(key)}
    key = next(iter(given), "")  # AddRoleToInstanceProfile is about the profile
    if call.parameters.get("InstanceProfileName"):
        key = "InstanceProfileName"
    if not key:
        return []
    return [f"arn:aws:iam::{call.account}:{tails[key]}{call.parameters[key]}"]


def _buckets(call: Call) -> list[str]:
    bucket, key = call.parameters.get("Bucket"), call.parameters.get("Key")
    if not bucket:
        return []
    return [f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"]


_OTHERS = {
    "elasticloadbalancing": _load_balancers,
    "autoscaling": _groups,
    "ssm": _parameters,
    "secretsmanager": _secrets,
    "iam": _identities,
    "s3": _buckets,
}
