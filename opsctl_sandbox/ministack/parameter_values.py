"""Judge the values of parameters with an AWS-specific type: they must exist in the account whenever
an operation begins, also values that stay as they are.

Source: https://repost.aws/knowledge-center/cloudformation-parameter-validation ("deleted out of
band before the resource is updated"). The sentence as users quote it: remind101/conveyor#64,
rgfindl/headless-wordpress#4.
"""

from collections.abc import Callable, Container, Mapping
from typing import Any

from ministack.services import ec2

from opsctl_sandbox.ministack.records import find

_FAILED = "Parameter validation failed: {}"
_ABSENT = "parameter value {} for parameter name {} does not exist"
_IMAGE = "AWS::EC2::Image::Id"
_STORES: Mapping[str, Any] = {
    "AWS::EC2::Instance::Id": ec2._instances,
    "AWS::EC2::KeyPair::KeyName": ec2._key_pairs,
    "AWS::EC2::SecurityGroup::Id": ec2._security_groups,
    "AWS::EC2::Subnet::Id": ec2._subnets,
    "AWS::EC2::Volume::Id": ec2._volumes,
    "AWS::EC2::VPC::Id": ec2._vpcs,
    _IMAGE: ec2._images,
}


def refusal(
    template: Mapping[str, Any], parameters: Mapping[str, Any], images: Container[str]
) -> str:
    """Return why CloudFormation refuses to begin, or ''. `images` are Amazon's machine images."""
    absent = [
        _ABSENT.format(value, name)
        for name, definition in (template.get("Parameters") or {}).items()
        if (there := _exists(str(definition.get("Type", "")), images)) is not None
        for value in _values(parameters.get(name) or {})
        if not there(value)
    ]
    return _FAILED.format(", ".join(absent)) if absent else ""


def _exists(kind: str, images: Container[str]) -> Callable[[str], bool] | None:
    """Return how to look for a value of this type; None for a type whose values may be anything."""
    one = kind.removeprefix("List<").removesuffix(">")
    store = _STORES.get(one)
    if store is None:
        return None
    return lambda value: find(store, value) is not None or (one == _IMAGE and value in images)


def _values(parameter: Mapping[str, Any]) -> list[str]:
    value = parameter.get("Value", "")
    return [
        str(one).strip() for one in (value if isinstance(value, list) else str(value).split(","))
    ]
