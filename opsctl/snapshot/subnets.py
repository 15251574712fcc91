"""Read the subnets that the config names from EC2."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opsctl import aws

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet. `public` means that its instances get a public address; `name` is its Name tag."""

    id: str
    vpc: str
    zone: str
    free_addresses: int = 0
    public: bool = False
    name: str = ""


def read(ec2: "EC2Client", ids: Sequence[str]) -> tuple[Subnet, ...]:
    """Return the subnets in the order of their ids; none when one of them does not exist."""
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
    """Return the Name tag, which people set and AWS shows."""
    tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", ())}
    return str(tags.get("Name", ""))
