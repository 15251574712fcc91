"""Read the account's network: VPCs, subnets, and where each subnet's default route leads."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from opsctl.snapshot import subnets
from opsctl.snapshot.subnets import Subnet
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client

# Where a subnet's default route leads: an internet gateway, a NAT gateway or instance, something
# else (a transit gateway, a firewall), or nowhere.
Route: TypeAlias = Literal["internet", "nat", "other", ""]
_EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class Vpc:
    id: str
    name: str = ""
    cidr: str = ""
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """`routes` maps subnet ids to default routes; `endpoints` maps VPC ids to service names."""

    vpcs: tuple[Vpc, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    routes: Mapping[str, Route] = field(default_factory=dict)
    endpoints: Mapping[str, frozenset[str]] = field(default_factory=dict)
    key_pairs: tuple[str, ...] = ()

    def of(self, vpc: str) -> tuple[Subnet, ...]:
        return tuple(subnet for subnet in self.subnets if subnet.vpc == vpc)

    def has_way_out(self, subnet: Subnet) -> bool:
        """Return whether an instance in this subnet reaches the internet when it starts."""
        route = self.routes.get(subnet.id, "")
        return subnet.public if route == "internet" else bool(route)


def read(ec2: "EC2Client", vpc: str = "") -> Network:
    """Read all networks of the account in this Region, or only those of one VPC."""
    chosen: Any = [{"Name": "vpc-id", "Values": [vpc]}] if vpc else []
    page = partial(_pages, ec2, chosen)
    calls: list[Callable[[], list[Any]]] = [
        partial(page, "describe_vpcs", "Vpcs"),
        partial(page, "describe_subnets", "Subnets"),
        partial(page, "describe_route_tables", "RouteTables"),
        partial(page, "describe_vpc_endpoints", "VpcEndpoints"),
        lambda: list(ec2.describe_key_pairs()["KeyPairs"]),
    ]
    vpcs, described, tables, endpoints, pairs = together(calls)
    known = subnets.values(described)
    return Network(
        tuple(sorted(map(_vpc, vpcs), key=lambda one: (not one.is_default, one.id))),
        known,
        _routes(known, tables),
        _endpoints(endpoints),
        tuple(sorted(pair.get("KeyName", "") for pair in pairs)),
    )


def _pages(ec2: "EC2Client", filters: Any, operation: Any, key: str) -> list[Any]:
    pages = ec2.get_paginator(operation).paginate(Filters=filters)
    return [one for page in pages for one in page.get(key, ())]


def _vpc(described: Mapping[str, Any]) -> Vpc:
    return Vpc(
        id=described["VpcId"],
        name=subnets.name(described),
        cidr=described.get("CidrBlock", ""),
        is_default=described.get("IsDefault", False),
    )


def _routes(known: Iterable[Subnet], tables: Iterable[Mapping[str, Any]]) -> dict[str, Route]:
    """Return each subnet's default route.

    A subnet without a route table uses the VPC's main one.
    """
    own: dict[str, Route] = {}
    main: dict[str, Route] = {}
    for table in tables:
        route = _default_route(table.get("Routes", ()))
        for association in table.get("Associations", ()):
            if association.get("Main"):
                main[table["VpcId"]] = route
            elif "SubnetId" in association:
                own[association["SubnetId"]] = route
    return {one.id: own.get(one.id, main.get(one.vpc, "")) for one in known}


def _default_route(routes: Iterable[Mapping[str, Any]]) -> Route:
    for route in routes:
        blackhole = route.get("State") == "blackhole"
        if route.get("DestinationCidrBlock") != _EVERYWHERE or blackhole:
            continue
        if route.get("GatewayId", "").startswith("igw-"):
            return "internet"
        nat = "NatGatewayId" in route or "InstanceId" in route or "NetworkInterfaceId" in route
        return "nat" if nat else "other"
    return ""


def _endpoints(described: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """Return the endpoints' service names (`ecr.dkr`, `s3`) by VPC id."""
    services: dict[str, set[str]] = {}
    for endpoint in described:
        # for example com.amazonaws.us-east-1.ecr.dkr
        service = endpoint.get("ServiceName", "").split(".", 3)[-1]
        services.setdefault(endpoint.get("VpcId", ""), set()).add(service)
    return {vpc: frozenset(names) for vpc, names in services.items()}
