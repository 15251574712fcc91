"""What there is to measure, from a snapshot: names that AWS makes come from the stacks. Pure."""

from opsctl.config.model import Config
from opsctl.metrics.catalogue import Targets
from opsctl.snapshot.snapshot import Look, Snapshot

LOOK = Look(frozenset({"stacks", "subnets", "service"}), ("db", "ecs"))
# dimension -> output of the ecs stack
_OUTPUTS = {
    "LoadBalancer": "LoadBalancerFullName",
    "TargetGroup": "TargetGroupFullName",
    "AutoScalingGroupName": "AutoScalingGroupName",
}


def targets(now: Snapshot, config: Config) -> Targets:
    """Zones are the subnets', not the hosts': a zone without a host is one to see a gap in."""
    dimensions = {name: now.output("ecs", output) for name, output in _OUTPUTS.items()}
    dimensions["ClusterName"] = config.ecs.cluster_name
    dimensions["ServiceName"] = config.ecs.service_name
    dimensions["CacheClusterId"] = now.output("db", "CacheClusterId") or config.db.name
    dimensions["CacheNodeId"] = "0001"
    return Targets(
        dimensions,
        config.logs.groups,
        sorted({subnet.zone for subnet in now.subnets}) if dimensions["LoadBalancer"] else (),
        replicated=config.db.nodes > 1,
    )
