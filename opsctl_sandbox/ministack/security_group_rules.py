"""`AWS::EC2::SecurityGroupIngress`, a resource type that ministack does not have, and which rules
count as the same.
"""

from typing import Any

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from opsctl_sandbox.ministack.resource_types import Made, Properties, ResourceTypes


def install(types: ResourceTypes) -> None:
    types.replace("AWS::EC2::SecurityGroupIngress", {"create": _create, "delete": _delete})
    plain = ec2._strip_descriptions

    def compared(rule: dict[str, Any]) -> dict[str, Any]:
        """Without what AWS ignores when a rule is revoked. ministack keeps it for groups."""
        pairs = [{"GroupId": one.get("GroupId")} for one in rule.get("UserIdGroupPairs", ())]
        return {**plain(rule), "UserIdGroupPairs": pairs}

    ec2._strip_descriptions = compared


def _create(logical_id: str, properties: Properties, stack: str) -> Made:
    group = ec2._security_groups[properties["GroupId"]]
    group["IpPermissions"] += provisioners._ec2_sg_permissions([properties])
    return f"{properties['GroupId']}|{stack}-{logical_id}", {}


def _delete(physical_id: str, properties: Properties) -> None:
    group = ec2._security_groups.get(properties["GroupId"])
    if group is None:  # the group was deleted first, with its rules
        return
    gone = provisioners._ec2_sg_permissions([properties])
    group["IpPermissions"] = [rule for rule in group["IpPermissions"] if rule not in gone]
