"""What the doctor says of the subnets."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from opsctl.doctor import network
from opsctl.doctor.finding import Finding
from opsctl.snapshot.network import Network, Vpc
from opsctl.snapshot.preflight import Preflight
from opsctl.snapshot.subnets import Subnet
from tests.opsctl.snapshots import config

FIRST = Subnet("subnet-00000001", "vpc-00000001", "a", free_addresses=100, public=True)
SECOND = Subnet("subnet-00000002", "vpc-00000001", "b", free_addresses=100, public=True)
NETWORK = Network(
    (Vpc("vpc-00000001"),),
    (FIRST, SECOND),
    {"subnet-00000001": "internet", "subnet-00000002": "internet"},
)
SERVICES = frozenset(
    {"cloudformation", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs", "s3"}
)


def findings(known: Network, *overrides: str, offers: Sequence[str] = ("a", "b")) -> list[Finding]:
    facts = Preflight(network=known, offers=frozenset(offers))
    return list(network.findings(config(*overrides), facts))


def wrong(found: list[Finding]) -> list[tuple[str, str]]:
    assert all(one.fix for one in found if one.level in ("warning", "blocking"))
    return [(one.level, one.text) for one in found if one.level != "ok"]


def test_two_public_subnets_are_fine() -> None:
    assert wrong(findings(NETWORK)) == []


def test_public_subnets_without_public_addresses_reach_nothing() -> None:
    closed = replace(NETWORK, subnets=tuple(replace(one, public=False) for one in NETWORK.subnets))
    [one] = [each for each in findings(closed) if each.level == "blocking"]
    assert "reach neither ECR nor ECS: they have no public addresses" in one.text
    assert one.fix.startswith("aws ec2 modify-subnet-attribute --map-public-ip-on-launch")


def test_endpoints_take_the_place_of_a_way_out() -> None:
    private = replace(NETWORK, routes={}, endpoints={"vpc-00000001": SERVICES})
    found = findings(private, "load_balancer.scheme=internal")
    assert wrong(found) == []
    for one in SERVICES:
        lacking = replace(private, endpoints={"vpc-00000001": SERVICES - {one}})
        [(level, text)] = wrong(findings(lacking, "load_balancer.scheme=internal"))
        assert level == "blocking" and text.endswith(f"lacks endpoints for {one}")


def test_a_nat_reaches_the_internet_but_accepts_no_connections() -> None:
    natted = replace(NETWORK, routes={"subnet-00000001": "nat", "subnet-00000002": "nat"})
    found = wrong(findings(natted))
    assert len(found) == 2 and all("no route to an internet gateway" in text for _, text in found)
    assert wrong(findings(natted, "load_balancer.scheme=internal")) == []


@pytest.mark.parametrize(
    ("known", "overrides", "said"),
    [
        (Network(), (), "there is no VPC vpc-00000001"),
        (
            NETWORK,
            ("compute.subnets=[subnet-00000009]",),
            "has no subnet subnet-00000009 (`compute.subnets`)",
        ),
        (NETWORK, ("compute.key_pair=ops",), "no key pair `ops`"),
        (
            replace(NETWORK, subnets=(FIRST, replace(SECOND, zone="a"))),
            (),
            "two subnets in a",
        ),
        (
            replace(NETWORK, subnets=(replace(FIRST, free_addresses=3), SECOND)),
            (),
            "3 free addresses; a load balancer",
        ),
        (
            replace(NETWORK, subnets=(replace(FIRST, free_addresses=1), SECOND)),
            (),
            "1 free addresses for up to",
        ),
    ],
)
def test_what_does_not_fit_is_said_with_its_fix(
    known: Network, overrides: Sequence[str], said: str
) -> None:
    assert any(said in text for _, text in wrong(findings(known, *overrides)))


def test_a_type_that_a_zone_does_not_sell_is_a_warning_and_one_that_none_does_blocks() -> None:
    assert wrong(findings(NETWORK, offers=["a"])) == [("warning", "AWS sells no t3.xlarge in b")]
    assert wrong(findings(NETWORK, offers=[]))[0][0] == "blocking"


def test_what_is_not_known_stops_nothing() -> None:
    facts = Preflight(unread={"network": "AWS refused DescribeVpcs", "offers": "no"})
    assert [one.level for one in network.findings(config(), facts)] == ["unknown"]
