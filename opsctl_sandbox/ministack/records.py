"""What ministack recorded of groups, launch templates, subnets, images and caches. Only reads."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from ministack.services import autoscaling, ec2, ecr, elasticache

from opsctl_sandbox.cluster.values import Instance

Record = Mapping[str, Any]
_IMAGE = re.compile(
    r"\d{12}\.dkr\.ecr\.[^/]+/(?P<name>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)
_COLLECTED = re.compile(r'"log_group_name":\s*"([^"]+)",\s*"log_stream_name":\s*"([^"]+)"')


def find(store: Any, key: str) -> Any:
    """By its last key, whatever account and Region it is filed under; None when it is not there."""
    return next((value for scoped, value in store._data.items() if scoped[-1] == key), None)


def digest(image: str) -> str | None:
    """The digest behind an ECR image; None when it is not there, empty for other registries."""
    name = _IMAGE.fullmatch(image)
    if name is None:
        return ""
    key = "imageDigest" if name["digest"] else "imageTag"
    version = name["digest"] or name["tag"] or "latest"
    for one in find(ecr._images, name["name"]) or ():
        if version in (one.get("imageId", {}).get(key), one.get(key)):
            return str(one["imageDigest"])
    return None


def group(name: str) -> dict[str, Any] | None:
    """An Auto Scaling group."""
    record: dict[str, Any] | None = find(autoscaling._asgs, name)
    return record


def launch(group: Record) -> Record:
    """The launch template's (or configuration's) data behind a group: InstanceType, UserData…"""
    template = group.get("LaunchTemplate") or {}
    identifier = template.get("LaunchTemplateId")
    if not identifier:
        return find(autoscaling._launch_configs, group.get("LaunchConfigurationName", "")) or {}
    record = find(ec2._launch_templates, identifier)
    if not record:
        return {}
    number = str(template.get("Version", "$Default"))
    versions = record["Versions"]
    exact = [version for version in versions if str(version["VersionNumber"]) == number]
    data: Record = (exact or versions[-1:])[0].get("LaunchTemplateData", {})
    return data


def instance_log(instance: Instance, source: str) -> tuple[str, str] | None:
    """The log group and stream that the instance's user data sends this source to.

    The agent's stream has the cluster before the instance, the one of ECS has not.
    """
    user_data = decoded(str(launch(group(instance.group) or {}).get("UserData", "")))
    for log_group, stream in _COLLECTED.findall(user_data):
        if ("/" in stream) == (source == "agent"):
            return log_group, stream.replace("{instance_id}", instance.id)
    return None


def decoded(user_data: str) -> str:
    """User data as text, whether it is recorded as Base64 or as it is."""
    try:
        return base64.b64decode(user_data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return user_data


def network(subnet: str) -> str | None:
    """The VPC of a subnet."""
    record = find(ec2._subnets, subnet)
    return record.get("VpcId") if record else None


def zone(subnet: str) -> str | None:
    """The Availability Zone of a subnet."""
    record = find(ec2._subnets, subnet)
    return record.get("AvailabilityZone") if record else None


def cache_clusters() -> list[str]:
    return [str(scoped[-1]) for scoped in elasticache._clusters._data]
