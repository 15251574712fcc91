"""Check the subnets: do they fit the stacks, and do instances there reach AWS? Pure."""

from collections.abc import Iterable, Iterator

from opsctl.config.model import Config
from opsctl.doctor.finding import Finding
from opsctl.snapshot.network import Network
from opsctl.snapshot.preflight import Preflight
from opsctl.snapshot.subnets import Subnet

# Addresses that a load balancer may take in each of its subnets. Source:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/network/create-network-load-balancer.html
_BALANCER_ADDRESSES = 8
# What an instance without internet access must reach before it has a task. S3 holds the layers of
# ECR's images and the packages that dnf installs; its start signals to CloudFormation.
_ENDPOINTS = (
    "cloudformation", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs", "s3",
)  # fmt: skip


def findings(config: Config, facts: Preflight) -> Iterator[Finding]:
    if reason := facts.unread.get("network"):
        yield Finding("network", "unknown", f"the network is not known ({reason})")
        return
    network = facts.network or Network()
    wanted = config.network.vpc
    if wanted not in {vpc.id for vpc in network.vpcs}:
        yield Finding(
            "network",
            "blocking",
            f"there is no VPC {wanted} here",
            "opsctl init --account /tmp/new",
        )
        return
    by_id = {subnet.id: subnet for subnet in network.of(wanted)}
    named = {
        "network.subnets": config.network.subnets,
        "network.load_balancer_subnets": config.network.load_balancer_subnets or [],
        "compute.subnets": config.compute.subnets or [],
        "db.subnets": config.db.subnets or [],
    }
    missing = [(key, id) for key, ids in named.items() for id in ids if id not in by_id]
    for key, id in missing:
        known = ", ".join(by_id)
        yield Finding(
            "network", "blocking", f"{wanted} has no subnet {id} (`{key}`)", f"it has: {known}"
        )
    if missing:
        return
    balancer = config.network.load_balancer_subnets or config.network.subnets
    yield from _load_balancer(config, network, [by_id[id] for id in balancer])
    instances = [by_id[id] for id in config.compute.subnets or config.network.subnets]
    yield from _instances(config, network, instances)
    yield from _offers(config, facts, instances)
    yield from _key_pair(config, network)


def _load_balancer(
    config: Config, network: Network, subnets: Iterable[Subnet]
) -> Iterator[Finding]:
    subnets = list(subnets)
    zones = [subnet.zone for subnet in subnets]
    twice = sorted({zone for zone in zones if zones.count(zone) > 1})
    if twice:
        yield Finding(
            "network",
            "blocking",
            f"the load balancer has two subnets in {twice[0]}, and AWS takes one of each zone",
            "name one of each in `network.load_balancer_subnets`",
        )
    if len(set(zones)) < 2:
        yield Finding(
            "network",
            "warning",
            f"the load balancer is in {zones[0]} alone, and fails with it",
            "name subnets of two zones in `network.subnets`",
        )
    for subnet in subnets:
        if subnet.free_addresses < _BALANCER_ADDRESSES:
            text = f"{subnet.id} has {subnet.free_addresses} free addresses; a load balancer may "
            yield Finding(
                "network",
                "warning",
                f"{text}take {_BALANCER_ADDRESSES}",
                "name a larger subnet in `network.load_balancer_subnets`",
            )
        facing = config.load_balancer.scheme == "internet-facing"
        if facing and network.routes.get(subnet.id) != "internet":
            yield Finding(
                "network",
                "blocking",
                f"{subnet.id} has no route to an internet gateway, so nobody outside reaches an "
                "internet-facing load balancer there",
                "name public subnets in `network.load_balancer_subnets`, or set "
                "`load_balancer.scheme: internal`",
            )


def _instances(config: Config, network: Network, subnets: Iterable[Subnet]) -> Iterator[Finding]:
    closed: list[Subnet] = []
    subnets = list(subnets)
    for subnet in subnets:
        if not network.has_way_out(subnet):
            closed.append(subnet)
        if subnet.free_addresses < config.compute.maximum:
            text = f"{subnet.id} has {subnet.free_addresses} free addresses for up to "
            yield Finding(
                "network",
                "warning",
                f"{text}{config.compute.maximum} instances",
                "name a larger subnet in `compute.subnets`",
            )
    here = network.endpoints.get(config.network.vpc, frozenset())
    lacking = [service for service in _ENDPOINTS if service not in here]
    if closed and lacking:
        names = ", ".join(subnet.id for subnet in closed)
        public = all(network.routes.get(subnet.id) == "internet" for subnet in closed)
        why = "no public addresses" if public else "no way to the internet"
        yield Finding(
            "network",
            "blocking",
            f"instances in {names} reach neither ECR nor ECS: they have {why}, and the VPC lacks "
            f"endpoints for {', '.join(lacking)}",
            f"aws ec2 modify-subnet-attribute --map-public-ip-on-launch --subnet-id {closed[0].id}"
            if public
            else "give them a NAT gateway, or name others in `compute.subnets`",
        )
    elif not closed:
        zones = ", ".join(sorted({subnet.zone for subnet in subnets}))
        yield Finding("network", "ok", f"instances in {zones} reach AWS")
    else:
        yield Finding("network", "ok", "instances reach AWS through the VPC's endpoints")


def _offers(config: Config, facts: Preflight, subnets: Iterable[Subnet]) -> Iterator[Finding]:
    kind = config.compute.instance_type
    if reason := facts.unread.get("offers"):
        yield Finding("network", "unknown", f"whether {kind} is sold here is not known ({reason})")
        return
    zones = sorted({subnet.zone for subnet in subnets} - facts.offers)
    if zones:
        everywhere = not facts.offers
        yield Finding(
            "network",
            "blocking" if everywhere else "warning",
            f"AWS sells no {kind} in {', '.join(zones)}",
            "choose another `compute.instance_type`, or subnets in other zones",
        )


def _key_pair(config: Config, network: Network) -> Iterator[Finding]:
    name = config.compute.key_pair
    if name and name not in network.key_pairs:
        known = ", ".join(network.key_pairs) or "none"
        yield Finding(
            "network",
            "blocking",
            f"there is no key pair `{name}` (`compute.key_pair`)",
            f"there are: {known}; null means Session Manager instead of SSH",
        )
