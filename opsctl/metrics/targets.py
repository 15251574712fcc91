"""Find in a snapshot what can be measured. Names that AWS generates come from the stacks. Pure."""

from opsctl.config.model import Config
from opsctl.metrics.catalogue import Node, Targets
from opsctl.snapshot.snapshot import Look, Snapshot

LOOK = Look(frozenset({"stacks", "subnets", "service", "cache", "alarms"}), ("db", "ecs"))
# dimension -> output of the ecs stack
_OUTPUTS = {
    "LoadBalancer": "LoadBalancerFullName",
    "TargetGroup": "TargetGroupFullName",
    "AutoScalingGroupName": "AutoScalingGroupName",
}


def targets(now: Snapshot, config: Config) -> Targets:
    """Return the targets. Zones are those of the subnets: a zone without a host must show a gap."""
    dimensions = {name: now.output("ecs", output) for name, output in _OUTPUTS.items()}
    dimensions["ClusterName"] = now.output("ecs", "ClusterName") or config.ecs.cluster_name
    dimensions["ServiceName"] = now.output("ecs", "ServiceName") or config.ecs.service_name
    return Targets(
        dimensions,
        config.logs.groups,
        sorted({subnet.zone for subnet in now.subnets}) if dimensions["LoadBalancer"] else (),
        nodes=_nodes(now, config),
    )


def _nodes(now: Snapshot, config: Config) -> list[Node]:
    """Return the actual members of the cache with their roles, else the first one by the config."""
    if now.cache is not None and now.cache.nodes:
        return [Node(one.id, one.node or "0001", one.role) for one in now.cache.nodes]
    name = now.output("db", "CacheClusterId") or config.db.name
    return [Node(name if config.db.kind == "cluster" else f"{name}-001")]
