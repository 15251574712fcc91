"""`AWS::EC2::SecurityGroupIngress`, a resource type that ministack does not have."""

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from opsctl_sandbox.ministack.resource_types import Made, Properties, ResourceTypes


def install(types: ResourceTypes) -> None:
    types.replace("AWS::EC2::SecurityGroupIngress", {"create": _create, "delete": _delete})


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
