"""Read the security groups between the load balancer, the instances and the cache from EC2."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opsctl import aws

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_ec2.type_defs import IpPermissionOutputTypeDef

_ALL_PORTS = (0, 65535)


@dataclass(frozen=True, slots=True)
class Ingress:
    """A rule: `sources` (security group ids or CIDRs) may connect to ports `low` to `high`."""

    low: int
    high: int
    sources: tuple[str, ...]

    def admits(self, source: str, port: int) -> bool:
        """Return whether the rule names this source, or every address, for this port."""
        return self.low <= port <= self.high and bool({source, "0.0.0.0/0"} & set(self.sources))


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    id: str
    name: str = ""
    ingress: tuple[Ingress, ...] = ()

    def admits(self, source: str, port: int) -> bool:
        return any(rule.admits(source, port) for rule in self.ingress)

    @property
    def admitted(self) -> tuple[str, ...]:
        """Every source, in the order of the rules."""
        return tuple(dict.fromkeys(source for rule in self.ingress for source in rule.sources))


def read(ec2: "EC2Client", ids: Iterable[str]) -> tuple[SecurityGroup, ...]:
    """Return the groups of these ids; deleted ones are left out."""
    wanted = sorted(set(filter(None, ids)))
    if not wanted:
        return ()
    try:
        # Use a filter: one unknown id in GroupIds makes the whole call fail.
        described = ec2.describe_security_groups(Filters=[{"Name": "group-id", "Values": wanted}])
    except ec2.exceptions.ClientError as error:
        if aws.code(error) == "InvalidGroup.NotFound":
            return ()
        raise
    return tuple(
        SecurityGroup(
            id=group.get("GroupId", ""),
            name=group.get("GroupName", ""),
            ingress=tuple(map(_ingress, group.get("IpPermissions", ()))),
        )
        for group in described["SecurityGroups"]
        if group.get("GroupId") in wanted
    )


def _ingress(rule: "IpPermissionOutputTypeDef") -> Ingress:
    low, high = _ALL_PORTS
    if rule.get("IpProtocol") not in ("-1", None):
        low, high = rule.get("FromPort", low), rule.get("ToPort", high)
    groups = [pair.get("GroupId", "") for pair in rule.get("UserIdGroupPairs", ())]
    networks = [one.get("CidrIp", "") for one in rule.get("IpRanges", ())]
    return Ingress(low, high, tuple([*groups, *networks]))
