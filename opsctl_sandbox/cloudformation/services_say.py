"""What a service refuses of the properties of a resource, though its schema allows them.

Sources: terraform-aws-vpc#463 (subnet groups), aws-cdk#26253 and serverless#7885 (roles),
terraform-provider-aws#48071 and aws-load-balancer-controller#2951 (target groups), dagster#11622
and ecs_composex#707 (secrets).
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

Properties = Mapping[str, Any]
_IDENTIFIER = (
    "The parameter CacheSubnetGroupName is not a valid identifier. Identifiers must begin with a "
    "letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen "
    "or contain two consecutive hyphens."
)
_TAGS = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
_SECRET = (
    "The secret name must be unique and not shared with any new or existing environment variables "
    "set on the container, such as '{}'."
)


def refused(kind: str, properties: Properties) -> tuple[str, str] | None:
    """Return the service and its sentence, or None."""
    service, judge = _JUDGES.get(kind, ("", lambda _: None))
    sentence = judge(properties)
    return (service, sentence) if sentence else None


def _subnet_group(properties: Properties) -> str | None:
    name = str(properties.get("CacheSubnetGroupName") or "a")
    return None if re.fullmatch(r"[A-Za-z](-?[A-Za-z0-9])*", name) else _IDENTIFIER


def _role(properties: Properties) -> str | None:
    keys = Counter(str(tag["Key"]).lower() for tag in properties.get("Tags") or ())
    return _TAGS if any(count > 1 for count in keys.values()) else None


def _target_group(properties: Properties) -> str | None:
    """A check by TCP may take as long as its interval: ten seconds of ten."""
    http = properties.get("HealthCheckProtocol") in ("HTTP", "HTTPS")
    interval = int(properties.get("HealthCheckIntervalSeconds") or 30)
    timeout = int(properties.get("HealthCheckTimeoutSeconds") or (6 if http else 10))
    if timeout > interval or (http and timeout == interval):
        return "Health check interval must be greater than the timeout."
    return None


def _task_definition(properties: Properties) -> str | None:
    for container in properties.get("ContainerDefinitions") or ():
        variables = {one.get("Name") for one in container.get("Environment") or ()}
        for secret in container.get("Secrets") or ():
            if secret.get("Name") in variables:
                return _SECRET.format(secret["Name"])
    return None


_JUDGES: Mapping[str, tuple[str, Callable[[Properties], str | None]]] = {
    "AWS::ElastiCache::SubnetGroup": ("ElastiCache", _subnet_group),
    "AWS::IAM::Role": ("Iam", _role),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("ElasticLoadBalancingV2", _target_group),
    "AWS::ECS::TaskDefinition": ("Ecs", _task_definition),
}
