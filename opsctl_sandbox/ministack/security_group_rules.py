"""CloudFormation resource types that ministack lacks or gets wrong, put into its own table.

Its handlers are `create(logical_id, properties, stack)` -> (physical id, attributes) and
`delete(physical_id, properties)`; the version is pinned, and the tests of this module
fails when a name moves or a repair is no longer needed.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

Properties = Mapping[str, Any]
Created = tuple[str, dict[str, str]]


def add() -> None:
    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::EC2::SecurityGroupIngress"] = {
        "create": _ingress_create,
        "delete": _ingress_delete,
    }
    service = handlers["AWS::ECS::Service"]
    handlers["AWS::ECS::Service"] = {
        **service,
        "create": _with_numbers(service["create"]),
        "update": _with_numbers(service["update"]),
    }


def _ingress_create(logical_id: str, properties: Properties, stack: str) -> Created:
    group = ec2._security_groups[properties["GroupId"]]
    group["IpPermissions"] += provisioners._ec2_sg_permissions([properties])
    return f"{properties['GroupId']}|{stack}-{logical_id}", {}


def _ingress_delete(physical_id: str, properties: Properties) -> None:
    group = ec2._security_groups.get(properties["GroupId"])
    if group is None:  # the group went first, and its rules with it
        return
    gone = provisioners._ec2_sg_permissions([properties])
    group["IpPermissions"] = [rule for rule in group["IpPermissions"] if rule not in gone]


def _with_numbers(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A `!Ref` to a Number parameter arrives as text, and ministack subtracts from it."""

    def converted(*arguments: Any) -> Any:
        return handler(*(_number(each) for each in arguments))

    return converted


def _number(value: Any) -> Any:
    if isinstance(value, dict) and isinstance(value.get("DesiredCount"), str):
        return {**value, "DesiredCount": int(value["DesiredCount"])}
    return value
