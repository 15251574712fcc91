"""What the simulation reads of ministack's state: target groups, launch templates, subnets.

The one place that knows ministack's stores (1.5.33); it never writes to them.
"""

import re
from collections.abc import Mapping
from typing import Any

from ministack.services import alb, autoscaling, ec2, ecr

from opsctl_sandbox.cluster.values import LoadBalancer

Record = Mapping[str, Any]
_IMAGE = re.compile(
    r"\d{12}\.dkr\.ecr\.[^/]+/(?P<name>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)


def _find(store: Any, key: str) -> Any:
    """By its last key, whatever account and Region it is filed under."""
    return next((v for k, v in store._data.items() if k[-1] == key), None)


def load_balancer(asked: Record) -> LoadBalancer:
    """A service's load balancer with the clocks of its target group. Raises KeyError when the
    target group does not exist."""
    arn = asked["targetGroupArn"]
    group = _find(alb._tgs, arn)
    if group is None:
        raise KeyError(arn)
    attributes = {a["Key"]: a["Value"] for a in _find(alb._tg_attrs, arn) or ()}
    return LoadBalancer(
        target_group=arn,
        container=asked["containerName"],
        container_port=int(asked["containerPort"]),
        interval=float(group.get("HealthCheckIntervalSeconds", 30)),
        timeout=float(group.get("HealthCheckTimeoutSeconds", 10)),
        healthy_threshold=int(group.get("HealthyThresholdCount", 5)),
        unhealthy_threshold=int(group.get("UnhealthyThresholdCount", 2)),
        deregistration_delay=float(attributes.get("deregistration_delay.timeout_seconds", 300)),
    )


def digest(image: str) -> str | None:
    """The digest behind an ECR image; None when it is not there, empty for other registries."""
    found = _IMAGE.fullmatch(image)
    if found is None:
        return ""
    key = "imageDigest" if found["digest"] else "imageTag"
    wanted = found["digest"] or found["tag"] or "latest"
    for one in _find(ecr._images, found["name"]) or ():
        if wanted in (one.get("imageId", {}).get(key), one.get(key)):
            return str(one["imageDigest"])
    return None


def balanced(target_group: str) -> bool:
    """Whether a load balancer's listener uses the target group."""
    return any(target_group in str(v) for v in alb._listeners._data.values())


def group(name: str) -> dict[str, Any] | None:
    """ministack's record of an Auto Scaling group."""
    found: dict[str, Any] | None = _find(autoscaling._asgs, name)
    return found


def launch(record: Record) -> Record:
    """The launch template's (or configuration's) data behind a group: InstanceType, UserData…"""
    template = record.get("LaunchTemplate") or {}
    identifier = template.get("LaunchTemplateId")
    if identifier:
        found = _find(ec2._launch_templates, identifier)
        if not found:
            return {}
        wanted = str(template.get("Version", "$Default"))
        versions = found["Versions"]
        exact = [v for v in versions if str(v["VersionNumber"]) == wanted]
        data: Record = (exact or versions[-1:])[0].get("LaunchTemplateData", {})
        return data
    return _find(autoscaling._launch_configs, record.get("LaunchConfigurationName", "")) or {}


def network(subnet: str) -> str | None:
    """The VPC of a subnet."""
    found = _find(ec2._subnets, subnet)
    return found.get("VpcId") if found else None


def zone(subnet: str) -> str | None:
    """The Availability Zone of a subnet."""
    found = _find(ec2._subnets, subnet)
    return found.get("AvailabilityZone") if found else None
