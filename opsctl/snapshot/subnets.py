"""What EC2 says of the subnets that the config names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opsctl import aws

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client


@dataclass(frozen=True, slots=True)
class Subnet:
    """`public` tells that instances get a public address by themselves; `name` is a tag."""

    id: str
    vpc: str
    zone: str
    free_addresses: int = 0
    public: bool = False
    name: str = ""


def read(ec2: "EC2Client", ids: Sequence[str]) -> tuple[Subnet, ...]:
    """The subnets in the order of their ids; none when one of them is not there."""
    try:
        return values(ec2.describe_subnets(SubnetIds=list(ids))["Subnets"])
    except ec2.exceptions.ClientError as error:
        if aws.code(error) == "InvalidSubnetID.NotFound":
            return ()
        raise


def values(described: Iterable[Mapping[str, Any]]) -> tuple[Subnet, ...]:
    subnets = (
        Subnet(
            id=subnet.get("SubnetId", ""),
            vpc=subnet.get("VpcId", ""),
            zone=subnet.get("AvailabilityZone", ""),
            free_addresses=subnet.get("AvailableIpAddressCount", 0),
            public=subnet.get("MapPublicIpOnLaunch", False),
            name=name(subnet),
        )
        for subnet in described
    )
    return tuple(sorted(subnets, key=lambda subnet: subnet.id))


def name(described: Mapping[str, Any]) -> str:
    """The tag `Name`, which people give and AWS shows."""
    tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", ())}
    return str(tags.get("Name", ""))
