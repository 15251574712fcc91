"""`AWS::EC2::SecurityGroupIngress`, a resource type that ministack does not have, which rules count
as the same, and that a VPC has no two security groups of one name.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from opsctl_sandbox.ministack.resource_types import Made, Properties, ResourceTypes

TYPE = "AWS::EC2::SecurityGroupIngress"
_GROUP = "AWS::EC2::SecurityGroup"
_DUPLICATE = (
    "Resource handler returned message: \"The security group '{name}' already exists for VPC "
    "'{vpc}' (Service: Ec2, Status Code: 400)\" (HandlerErrorCode: AlreadyExists)"
)


def install(types: ResourceTypes) -> None:
    types.replace(TYPE, {"create": _create, "delete": _delete})
    types.replace(_GROUP, {"create": _free(types.plain(_GROUP)["create"])})
    plain = ec2._strip_descriptions

    def compared(rule: dict[str, Any]) -> dict[str, Any]:
        """Without what AWS ignores when a rule is revoked. ministack keeps it for groups."""
        pairs = [{"GroupId": one.get("GroupId")} for one in rule.get("UserIdGroupPairs", ())]
        return {**plain(rule), "UserIdGroupPairs": pairs}

    ec2._strip_descriptions = compared


def _free(create: Callable[..., Made]) -> Callable[..., Made]:
    def created(logical_id: str, properties: Properties, stack: str) -> Made:
        name = properties.get("GroupName")
        vpc = properties.get("VpcId", ec2._DEFAULT_VPC_ID)
        for group in ec2._security_groups.values():
            if name and (group["GroupName"], group["VpcId"]) == (name, vpc):
                raise ValueError(_DUPLICATE.format(name=name, vpc=vpc))
        return create(logical_id, properties, stack)

    return created


def _create(logical_id: str, properties: Properties, stack: str) -> Made:
    group = ec2._security_groups[properties["GroupId"]]
    [rule] = provisioners._ec2_sg_permissions([properties])
    group["IpPermissions"].append(rule)
    identifier = ec2._sg_rule_id(properties["GroupId"], False, rule)
    return identifier, {"Id": identifier}


def lacking(identifier: str, properties: Properties) -> list[Any]:
    """Return the ingress rules of a group's own properties that it has no more."""
    there = [
        ec2._strip_descriptions(one) for one in ec2._security_groups[identifier]["IpPermissions"]
    ]
    wanted = provisioners._ec2_sg_permissions(properties.get("SecurityGroupIngress"))
    return [one for one in wanted if ec2._strip_descriptions(one) not in there]


def is_there(rule: str) -> bool:
    """Return whether a group still has the ingress rule with this id."""
    return any(
        ec2._sg_rule_id(group, False, one) == rule
        for group, record in ec2._security_groups.items()
        for one in record["IpPermissions"]
    )


def _delete(physical_id: str, properties: Properties) -> None:
    group = ec2._security_groups.get(properties["GroupId"])
    if group is None:  # the group was deleted first, with its rules
        return
    gone = provisioners._ec2_sg_permissions([properties])
    group["IpPermissions"] = [rule for rule in group["IpPermissions"] if rule not in gone]
