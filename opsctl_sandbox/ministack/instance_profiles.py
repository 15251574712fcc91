"""Make the physical id of `AWS::IAM::InstanceProfile` its name; ministack uses its ARN.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-instanceprofile.html
"""

from typing import Any

from ministack.services import iam

from opsctl_sandbox.ministack.resource_types import Made, Properties, ResourceTypes

_TYPE = "AWS::IAM::InstanceProfile"


def install(types: ResourceTypes) -> None:
    plain = types.plain(_TYPE)

    def create(*arguments: Any) -> Made:
        return _named(plain["create"](*arguments))

    def update(name: str, *arguments: Any) -> Made:
        return _named(plain["update"](_arn(name), *arguments))

    def delete(name: str, properties: Properties) -> None:
        plain["delete"](_arn(name), properties)

    types.replace(_TYPE, {"create": create, "update": update, "delete": delete})


def _named(made: Made) -> Made:
    arn, attributes = made
    return arn.rpartition("/")[2], attributes


def _arn(name: str) -> str:
    profile = iam._instance_profiles.get(name)
    return str(profile["Arn"]) if profile else ""
