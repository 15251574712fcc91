"""The catalogue of alarms: what is watched, from when on it is bad, and what a gap means. Pure.

Sources: CloudWatch's list of recommended alarms and the ECS, NLB and ElastiCache guides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Literal

from opsctl.config import instances
from opsctl.config.model import Config

Dimension = tuple[str, str]
_MINUTE = 60
# An engine with fewer cores shares its one thread's core with the system.
_CORES_OF_ITS_OWN = 4
_BUSY = 90.0
_MANY_CONNECTIONS = 50_000  # a node takes 65,000
_ECS, _CACHE, _BALANCER = "AWS/ECS", "AWS/ElastiCache", "AWS/NetworkELB"


@dataclass(frozen=True, slots=True)
class Alarm:
    """`dimensions` are names and values; a value `import:OUTPUT` is one of the ecs stack's."""

    id: str
    tells: str
    namespace: str
    metric: str
    dimensions: tuple[Dimension, ...]
    statistic: Literal["Average", "Minimum", "Maximum", "Sum", "SampleCount"]
    comparison: Literal[">", "<", ">="]
    threshold: float
    missing: Literal["breaching", "notBreaching", "missing"] = "missing"
    period: int = _MINUTE
    periods: int = 5

    @property
    def name(self) -> str:
        """The part after the system's name: `service-cpu` of `ServiceCpu`."""
        words = "".join(f"-{char.lower()}" if char.isupper() else char for char in self.id)
        return words.removeprefix("-")


def catalogue(config: Config) -> list[Alarm]:
    return [*_ecs(config), *_load_balancer(config), *_cache(config), *_instances(), *_logs(config)]


def _ecs(config: Config) -> Iterator[Alarm]:
    cluster: Dimension = ("ClusterName", config.ecs.cluster_name)
    service = (cluster, ("ServiceName", config.ecs.service_name))
    limits = (("CPU", config.alarms.cpu_percent), ("Memory", config.alarms.memory_percent))
    for metric, limit in limits:
        word = metric.capitalize()
        yield Alarm(
            f"Cluster{word}Reservation",
            f"new tasks may soon find no room ({metric})",
            *(_ECS, f"{metric}Reservation", (cluster,), "Average", ">", limit, "breaching"),
        )
        yield Alarm(
            f"Service{word}",
            f"the tasks use nearly all they have ({metric})",
            *(_ECS, f"{metric}Utilization", service, "Average", ">", limit, "breaching"),
        )
    if config.ecs.desired_count:
        # Each running task gives one sample a minute: a count without Container Insights.
        yield Alarm(
            "RunningTasks",
            f"fewer than {config.ecs.desired_count} tasks have run for ten minutes",
            *(_ECS, "CPUUtilization", service, "SampleCount", "<", config.ecs.desired_count),
            *("breaching", _MINUTE, 10),
        )


def _load_balancer(config: Config) -> Iterator[Alarm]:
    balancer: Dimension = ("LoadBalancer", "import:LoadBalancerFullName")
    targets = (("TargetGroup", "import:TargetGroupFullName"), balancer)
    fewest = ceil(config.ecs.desired_count * config.ecs.minimum_healthy_percent / 100) or 1
    yield Alarm(
        "UnhealthyHosts",
        "a task runs and does not answer",
        *(_BALANCER, "UnHealthyHostCount", targets, "Minimum", ">", 0, "notBreaching"),
    )
    # Without any target there is no data, which is the worst of it.
    yield Alarm(
        "HealthyHosts",
        f"fewer than {fewest} tasks answer",
        *(_BALANCER, "HealthyHostCount", targets, "Maximum", "<", fewest, "breaching"),
    )
    yield Alarm(
        "UnhealthyRouting",
        "no target is healthy, so all of them get traffic",
        *(_BALANCER, "UnhealthyRoutingFlowCount", (balancer,), "Sum", ">", 0, "notBreaching"),
        *(_MINUTE, 3),
    )
    yield Alarm(
        "PortAllocation",
        "the load balancer has no ports left for connections",
        *(_BALANCER, "PortAllocationErrorCount", (balancer,), "Sum", ">", 0, "notBreaching"),
        *(_MINUTE, 1),
    )


def _cache(config: Config) -> Iterator[Alarm]:
    single = config.db.kind == "cluster"
    node = (
        ("CacheClusterId", config.db.name if single else f"{config.db.name}-001"),
        ("CacheNodeId", "0001"),
    )
    kind = instances.find(config.db.node_type.removeprefix("cache."))
    cores = kind.cpu // 1024 if kind else 1
    own = cores >= _CORES_OF_ITS_OWN
    yield Alarm(
        "CacheCpu",
        "Redis' one thread is nearly always busy",
        *(_CACHE, "EngineCPUUtilization" if own else "CPUUtilization", node, "Average", ">"),
        _BUSY if own else _BUSY / cores,
    )
    yield Alarm(
        "CacheMemory",
        "the cache will soon evict what it holds",
        *(_CACHE, "DatabaseMemoryUsagePercentage", node, "Average", ">"),
        config.alarms.cache_memory_percent,
    )
    yield Alarm(
        "CacheEvictions",
        "the cache forgets entries for lack of memory",
        *(_CACHE, "Evictions", node, "Sum", ">", 0),
    )
    yield Alarm(
        "CacheConnections",
        "connections are not given back",
        *(_CACHE, "CurrConnections", node, "Average", ">", _MANY_CONNECTIONS),
        *("missing", _MINUTE, 10),
    )


def _instances() -> Iterator[Alarm]:
    group: Dimension = ("AutoScalingGroupName", "import:AutoScalingGroupName")
    yield Alarm(
        "InstanceStatus",
        "an instance fails its status checks",
        *("AWS/EC2", "StatusCheckFailed", (group,), "Maximum", ">=", 1, "missing", 300, 2),
    )


def _logs(config: Config) -> Iterator[Alarm]:
    group: Dimension = ("LogGroupName", config.logs.group("agent"))
    yield Alarm(
        "AgentSilent",
        "no ECS agent has logged for fifteen minutes; a healthy one never rests",
        *("AWS/Logs", "IncomingLogEvents", (group,), "Sum", "<", 1, "breaching", 300, 3),
    )
