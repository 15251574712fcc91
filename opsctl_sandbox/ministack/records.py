"""Read ministack's records of groups, launch templates, subnets and images."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ministack.services import autoscaling, cloudwatch_logs, ec2, ecr, s3, secretsmanager, ssm

Record = Mapping[str, Any]
# Secrets Manager appends these to the name of a secret.
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
_IMAGE = re.compile(
    r"\d{12}\.dkr\.ecr\.[^/]+/(?P<name>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)


def find(store: Any, key: str) -> Any:
    """Return a value by the last part of its key, in any account and Region, or None."""
    return next((value for scoped, value in store._data.items() if scoped[-1] == key), None)


def digest(image: str) -> str | None:
    """Return an ECR image's digest; None when it does not exist, '' for other registries."""
    name = _IMAGE.fullmatch(image)
    if name is None:
        return ""
    key = "imageDigest" if name["digest"] else "imageTag"
    version = name["digest"] or name["tag"] or "latest"
    for one in find(ecr._images, name["name"]) or ():
        if version in (one.get("imageId", {}).get(key), one.get(key)):
            return str(one["imageDigest"])
    return None


def holds(need: str, name: str) -> bool:
    """Return whether a log group exists, or a secret (a container definition's `valueFrom`)."""
    if need == "log group":
        return find(cloudwatch_logs._log_groups, name) is not None
    if ":secretsmanager:" in name:
        # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:KEY:STAGE:VERSION]
        wanted = ":".join(name.split(":")[:7])
        secrets = list(secretsmanager._secrets._data.values())
        arns = {str(one["ARN"]) for one in secrets if not one.get("DeletedDate")}
        # What ends like a whole ARN is taken for one.
        return wanted in arns if _SUFFIX.search(wanted) else wanted in {arn[:-7] for arn in arns}
    parameter = name.partition(":parameter")[2] or name
    return any(find(ssm._parameters, one) for one in (parameter, parameter.lstrip("/")))


def bucket_owner(name: str) -> str:
    """Return the account that owns a bucket; '' when there is none."""
    return next((str(key[0]) for key in list(s3._buckets._data) if key[-1] == name), "")


def group(name: str) -> dict[str, Any] | None:
    """Return an Auto Scaling group's record, or None."""
    record: dict[str, Any] | None = find(autoscaling._asgs, name)
    return record


@dataclass(frozen=True)
class Launch:
    """What a group launches new instances from: a template's version, or a configuration.

    `data` is InstanceType, ImageId, UserData and so on.
    """

    name: str
    version: str
    data: Record

    @property
    def key(self) -> str:
        return f"{self.name}:{self.version}" if self.version else self.name

    @property
    def user_data(self) -> str:
        return decoded(str(self.data.get("UserData", "")))


def launch(group: Record) -> Launch:
    """Return what the group launches from; `$Latest` and `$Default` are resolved now."""
    reference = group.get("LaunchTemplate") or {}
    record = _template(reference)
    if record is None:
        name = str(group.get("LaunchConfigurationName", ""))
        return Launch(name, "", find(autoscaling._launch_configs, name) or {})
    version = _version(record, str(reference.get("Version") or "$Default"))
    data: Record = version.get("LaunchTemplateData", {})
    return Launch(str(record["LaunchTemplateId"]), str(version["VersionNumber"]), data)


def launch_from(name: str, reference: Record) -> None:
    """Let a group launch from another template or version; ministack's update leaves it."""
    record, named = group(name), _template(reference)
    if record is not None and named is not None:
        record["LaunchTemplate"] = {
            "LaunchTemplateId": named["LaunchTemplateId"],
            "LaunchTemplateName": named["LaunchTemplateName"],
            "Version": reference.get("Version") or "$Default",
        }


def _template(reference: Record) -> Record | None:
    """Return a launch template by id or name."""
    names = {reference.get("LaunchTemplateId"), reference.get("LaunchTemplateName")} - {None, ""}
    for record in list(ec2._launch_templates._data.values()):
        if names.intersection((record["LaunchTemplateId"], record["LaunchTemplateName"])):
            known: Record = record
            return known
    return None


def _version(record: Record, number: str) -> Record:
    if number == "$Default":
        number = str(record.get("DefaultVersionNumber", 1))
    versions: list[Record] = record["Versions"]
    exact = [one for one in versions if str(one["VersionNumber"]) == number]
    return (exact or versions[-1:])[0]


def decoded(user_data: str) -> str:
    """Return user data as text, whether it is recorded in Base64 or not."""
    try:
        return base64.b64decode(user_data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return user_data


def network(subnet: str) -> str | None:
    """Return the VPC of a subnet, or None."""
    record = find(ec2._subnets, subnet)
    return record.get("VpcId") if record else None


def zone(subnet: str) -> str | None:
    """Return the Availability Zone of a subnet, or None."""
    record = find(ec2._subnets, subnet)
    return record.get("AvailabilityZone") if record else None
