from collections.abc import Sequence
from typing import Any

import pytest

from opsctl.snapshot import network
from opsctl.snapshot.network import Network, Vpc
from tests.opsctl.snapshot.conftest import Stub

IGW = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}
NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"}
TRANSIT = {"DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1"}
LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}


def read(stub: Stub, subnets: Sequence[Any], tables: Sequence[Any]) -> Network:
    ec2, stubber = stub("ec2")
    vpcs = [
        {"VpcId": "vpc-00000001", "Tags": [{"Key": "Name", "Value": "shop"}]},
        {"VpcId": "vpc-00000002", "IsDefault": True, "CidrBlock": "172.31.0.0/16"},
    ]
    endpoint = {"VpcId": "vpc-00000001", "ServiceName": "com.amazonaws.us-east-1.ecr.dkr"}
    answers = {
        "DescribeVpcs": {"Vpcs": vpcs},
        "DescribeSubnets": {"Subnets": list(subnets)},
        "DescribeRouteTables": {"RouteTables": list(tables)},
        "DescribeVpcEndpoints": {"VpcEndpoints": [endpoint]},
        "DescribeKeyPairs": {"KeyPairs": [{"KeyName": "b"}, {"KeyName": "a"}]},
    }
    # Five calls side by side come in any order.
    stubber.deactivate()

    def answer(model: Any, **_: Any) -> Any:
        class Response:
            status_code = 200

        return Response(), answers[model.name]

    ec2.meta.events.register("before-call.ec2", answer)
    return network.read(ec2)


def subnet(id: str, vpc: str = "vpc-00000001", *, public: bool = False) -> dict[str, Any]:
    return {"SubnetId": id, "VpcId": vpc, "AvailabilityZone": "a", "MapPublicIpOnLaunch": public}


def table(*routes: Any, main: bool = False, of: Sequence[str] = ()) -> dict[str, Any]:
    associations: list[dict[str, Any]] = [{"SubnetId": id, "Main": False} for id in of]
    return {
        "VpcId": "vpc-00000001",
        "Routes": [LOCAL, *routes],
        "Associations": [*associations, *([{"Main": True}] if main else [])],
    }


def test_the_default_vpc_comes_first_and_names_are_tags(stub: Stub) -> None:
    known = read(stub, [], [])
    assert known.vpcs == (
        Vpc("vpc-00000002", cidr="172.31.0.0/16", is_default=True),
        Vpc("vpc-00000001", "shop"),
    )
    assert known.key_pairs == ("a", "b")
    assert known.endpoints == {"vpc-00000001": frozenset({"ecr.dkr"})}


def test_a_subnet_without_a_table_of_its_own_has_the_main_one(stub: Stub) -> None:
    known = read(
        stub,
        [
            subnet("subnet-00000001"),
            subnet("subnet-00000002"),
            subnet("subnet-00000003", "vpc-00000002"),
        ],
        [table(NAT, main=True), table(of=["subnet-00000002"])],
    )
    assert known.routes == {"subnet-00000001": "nat", "subnet-00000002": "", "subnet-00000003": ""}
    assert [one.id for one in known.of("vpc-00000001")] == ["subnet-00000001", "subnet-00000002"]


@pytest.mark.parametrize(
    ("route", "public", "expected"),
    [
        (IGW, True, True),
        # A public subnet outside the default VPC gives no address by itself.
        (IGW, False, False),
        (NAT, False, True),
        (TRANSIT, False, True),
        ({**NAT, "State": "blackhole"}, False, False),
        (LOCAL, True, False),
    ],
)
def test_an_instance_has_a_way_out_by_its_route_and_its_address(
    stub: Stub, route: Any, public: bool, expected: bool
) -> None:
    known = read(stub, [subnet("subnet-00000001", public=public)], [table(route, main=True)])
    assert known.has_way_out(known.subnets[0]) is expected
