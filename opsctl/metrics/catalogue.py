"""The table of metrics, and how its rows become queries. Pure."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from opsctl.errors import ConfigError, nearest

Statistic = Literal["Average", "Minimum", "Maximum", "Sum", "SampleCount"]
Unit = Literal["%", "count", "bytes", "µs", "s", "tasks"]
GROUPS: Mapping[str, str] = {
    "cluster": "what the instances have left",
    "service": "what the tasks use",
    "lb": "load balancer and targets",
    "cache": "the Redis node",
    "logs": "lines coming in",
    "asg": "the instances",
}
_CLUSTER = ("ClusterName",)
_SERVICE = ("ClusterName", "ServiceName")
_BALANCER = ("LoadBalancer",)
_TARGETS = ("LoadBalancer", "TargetGroup")
_CACHE = ("CacheClusterId", "CacheNodeId")
_LOG_GROUP = ("LogGroupName",)
_ASG = ("AutoScalingGroupName",)


@dataclass(frozen=True, slots=True)
class Metric:
    """A row of the table. Names are spelled exactly as CloudWatch does, which is case-sensitive."""

    group: str
    namespace: str
    name: str
    statistic: Statistic
    dimensions: tuple[str, ...]
    unit: Unit
    tells: str
    by: str = ""  # a dimension to split by, in addition to the total


CATALOGUE: Sequence[Metric] = (
    Metric("cluster", "AWS/ECS", "CPUReservation", "Average", _CLUSTER, "%", "placement limit"),
    Metric("cluster", "AWS/ECS", "MemoryReservation", "Average", _CLUSTER, "%", "placement limit"),
    Metric("cluster", "AWS/ECS", "CPUUtilization", "Average", _CLUSTER, "%", "use of instances"),
    Metric("cluster", "AWS/ECS", "MemoryUtilization", "Average", _CLUSTER, "%", "use of instances"),
    Metric("service", "AWS/ECS", "CPUUtilization", "Average", _SERVICE, "%", "can pass 100 %"),
    Metric("service", "AWS/ECS", "MemoryUtilization", "Average", _SERVICE, "%", "OOM ahead"),
    # Each task sends one sample a minute, so the number of samples is the number of tasks.
    Metric("service", "AWS/ECS", "CPUUtilization", "SampleCount", _SERVICE, "tasks", "tasks alive"),
    Metric(
        "lb", "AWS/NetworkELB", "HealthyHostCount", "Maximum", _TARGETS, "count",
        "0 is an outage", by="AvailabilityZone",
    ),
    # CloudWatch writes a capital H inside; `UnhealthyHostCount` returns nothing.
    Metric(
        "lb", "AWS/NetworkELB", "UnHealthyHostCount", "Minimum", _TARGETS, "count",
        "Caddy fails to come up", by="AvailabilityZone",
    ),
    Metric("lb", "AWS/NetworkELB", "ActiveFlowCount", "Average", _BALANCER, "count", "connections"),
    Metric("lb", "AWS/NetworkELB", "NewFlowCount", "Sum", _BALANCER, "count", "new connections"),
    Metric("lb", "AWS/NetworkELB", "ProcessedBytes", "Sum", _BALANCER, "bytes", "traffic"),
    Metric(
        "lb", "AWS/NetworkELB", "UnhealthyRoutingFlowCount", "Sum", _BALANCER, "count",
        "flows sent to unhealthy targets: none is healthy",
    ),
    Metric(
        "lb", "AWS/NetworkELB", "TCP_Target_Reset_Count", "Sum", _BALANCER, "count",
        "resets by tasks",
    ),
    Metric(
        "lb", "AWS/NetworkELB", "TCP_ELB_Reset_Count", "Sum", _BALANCER, "count",
        "resets by the balancer",
    ),
    Metric(
        "lb", "AWS/NetworkELB", "PortAllocationErrorCount", "Sum", _BALANCER, "count",
        "no source port left",
    ),
    Metric("cache", "AWS/ElastiCache", "CPUUtilization", "Average", _CACHE, "%", "small nodes"),
    Metric("cache", "AWS/ElastiCache", "EngineCPUUtilization", "Average", _CACHE, "%", "one core"),
    Metric(
        "cache", "AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "Average", _CACHE, "%",
        "evictions ahead",
    ),
    Metric("cache", "AWS/ElastiCache", "FreeableMemory", "Minimum", _CACHE, "bytes", "pressure"),
    Metric("cache", "AWS/ElastiCache", "SwapUsage", "Maximum", _CACHE, "bytes", "pressure"),
    Metric("cache", "AWS/ElastiCache", "CurrConnections", "Average", _CACHE, "count", "a leak"),
    Metric("cache", "AWS/ElastiCache", "NewConnections", "Sum", _CACHE, "count", "no pooling"),
    Metric("cache", "AWS/ElastiCache", "CurrItems", "Average", _CACHE, "count", "emptied?"),
    Metric("cache", "AWS/ElastiCache", "CacheHitRate", "Average", _CACHE, "%", "lost entries"),
    Metric("cache", "AWS/ElastiCache", "Evictions", "Sum", _CACHE, "count", "lost entries"),
    Metric(
        "cache", "AWS/ElastiCache", "HashBasedCmdsLatency", "Average", _CACHE, "µs",
        "slow commands",
    ),
    Metric(
        "cache", "AWS/ElastiCache", "NetworkBandwidthInAllowanceExceeded", "Sum", _CACHE, "count",
        "node too small",
    ),
    Metric(
        "cache", "AWS/ElastiCache", "NetworkBandwidthOutAllowanceExceeded", "Sum", _CACHE, "count",
        "node too small",
    ),
    Metric(
        "cache", "AWS/ElastiCache", "NetworkConntrackAllowanceExceeded", "Sum", _CACHE, "count",
        "too many connections",
    ),
    Metric("cache", "AWS/ElastiCache", "ReplicationLag", "Average", _CACHE, "s", "replicas only"),
    Metric("logs", "AWS/Logs", "IncomingLogEvents", "Sum", _LOG_GROUP, "count", "silence, storms"),
    Metric("logs", "AWS/Logs", "IncomingBytes", "Sum", _LOG_GROUP, "bytes", "cost"),
    Metric("asg", "AWS/AutoScaling", "GroupDesiredCapacity", "Average", _ASG, "count", "wanted"),
    Metric("asg", "AWS/AutoScaling", "GroupInServiceInstances", "Average", _ASG, "count", "there"),
    Metric("asg", "AWS/EC2", "CPUUtilization", "Average", _ASG, "%", "hot instances"),
    Metric("asg", "AWS/EC2", "StatusCheckFailed", "Maximum", _ASG, "count", "a broken host"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """A row with its dimensions filled in. `about` distinguishes queries of one row."""

    metric: Metric
    dimensions: Mapping[str, str]
    about: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cache: its cluster's id, and its role when there are several."""

    id: str
    node: str = "0001"
    role: str = ""


@dataclass(frozen=True, slots=True)
class Targets:
    """What can be measured. `dimensions` has a value for each dimension, '' when there is none."""

    dimensions: Mapping[str, str]
    log_groups: Mapping[str, str]
    zones: Sequence[str] = ()
    nodes: Sequence[Node] = ()


def chosen(names: Sequence[str]) -> Sequence[str]:
    """Return the groups with these names; all groups for no names or `all`."""
    for name in names:
        if name not in GROUPS and name != "all":
            raise ConfigError(
                f"there is no group of metrics `{name}`; there are {', '.join(GROUPS)}, all",
                hint=f"opsctl metrics {nearest(name, GROUPS) or 'all'}",
            )
    return [group for group in GROUPS if group in names or not names or "all" in names]


def queries(groups: Sequence[str], targets: Targets) -> Iterator[Query]:
    """Yield the queries of these groups for everything that exists."""
    for metric in CATALOGUE:
        if metric.group not in groups:
            continue
        if metric.dimensions == _CACHE:
            yield from _of_nodes(metric, targets.nodes)
            continue
        if metric.dimensions == _LOG_GROUP:
            for source, group in targets.log_groups.items():
                yield Query(metric, {"LogGroupName": group}, source)
            continue
        dimensions = {name: targets.dimensions.get(name, "") for name in metric.dimensions}
        if not all(dimensions.values()):
            continue
        yield Query(metric, dimensions)
        if metric.by:
            for zone in targets.zones:
                yield Query(metric, {**dimensions, metric.by: zone}, zone)


def _of_nodes(metric: Metric, nodes: Sequence[Node]) -> Iterator[Query]:
    """Yield a query for each node. Only replicas have a lag, so a promoted one has none."""
    # `web-redis-0002-001` is a node of a shard, `web-redis-002` one of a group without shards.
    common = os.path.commonprefix([node.id for node in nodes]).rpartition("-")[0]
    for node in nodes:
        if metric.name == "ReplicationLag" and node.role != "replica":
            continue
        own = node.id.removeprefix(f"{common}-")
        about = f"{own} {node.role}".rstrip() if len(nodes) > 1 else ""
        yield Query(metric, {"CacheClusterId": node.id, "CacheNodeId": node.node}, about)
