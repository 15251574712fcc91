"""The catalogue of alarms: what is watched, when it is bad, and what missing data means. Pure.

Sources: CloudWatch's list of recommended alarms and the ECS, NLB and ElastiCache guides.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal, TypeAlias

from opsctl.config import elasticache
from opsctl.config.model import Config
from opsctl.errors import ConfigError, nearest

Dimension: TypeAlias = tuple[str, str]
Comparison = Literal[">", "<", ">="]
Missing = Literal["breaching", "notBreaching", "missing", "ignore"]
# CloudWatch's words for the signs.
OPERATORS: Mapping[Comparison, str] = {
    ">": "GreaterThanThreshold",
    "<": "LessThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
}
# With fewer cores, the engine's single thread shares its core with the system.
_CORES_OF_ITS_OWN = 4
_BUSY = 90.0
_MANY_CONNECTIONS = 50_000  # a node accepts 65,000
_SLOW = 5_000  # microseconds per command inside Redis; tens are usual
_MOST_MEMBERS = 40  # cache nodes that are watched: a template holds at most 500 resources
# one alarm per zone without cross-zone load balancing
_OF_HOSTS = ("healthy-hosts", "unhealthy-hosts")
_OF_RUNNING = ("running-tasks", "healthy-hosts")  # not created for a service without tasks
_ECS, _CACHE, _BALANCER = "AWS/ECS", "AWS/ElastiCache", "AWS/NetworkELB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm. `dimensions` are names and values; `import:OUTPUT` is an output of the ecs stack.

    It goes into ALARM when `points` of the last `periods` are bad, each of `period` seconds.
    `because` says why missing data counts as `missing`, and `then` what to run when it goes off.
    `of` distinguishes alarms of one kind by zone or cache node. `of_roll` alarms may go off during
    a good roll, because new tasks run beside old ones, so they are muted meanwhile.
    """

    id: str
    tells: str
    namespace: str
    metric: str
    dimensions: tuple[Dimension, ...]
    statistic: Literal["Average", "Minimum", "Maximum", "Sum", "SampleCount"]
    comparison: Comparison
    threshold: float
    missing: Missing
    because: str
    then: str
    period: int = 60
    periods: int = 5
    needs: int = 0  # 0 means all of `periods`
    of: str = ""
    of_roll: bool = False

    @property
    def logical_id(self) -> str:
        return self.id + re.sub(r"[^A-Za-z0-9]", "", self.of.title())

    @property
    def name(self) -> str:
        """The name without the system's: `service-cpu` for `ServiceCpu`."""
        words = re.sub("(?=[A-Z])", "-", self.id).lower().removeprefix("-")
        return f"{words}-{self.of}" if self.of else words

    @property
    def points(self) -> int:
        return self.needs or self.periods


def catalogue(config: Config, zones: Sequence[str] = ()) -> list[Alarm]:
    """Return all alarms.

    `zones` are the load balancer's, used only without cross-zone balancing.
    """
    return [
        *_ecs(config),
        *_load_balancer(config, () if config.load_balancer.cross_zone else zones),
        *_cache(config),
        *_instances(),
        *_logs(config),
    ]


def full_names(config: Config, names: Sequence[str]) -> list[str]:
    """Return CloudWatch's names of these alarms, without those that a count of 0 leaves out.

    Raises ConfigError for a name that is not in the catalogue.
    """
    made, prefix = [alarm.name for alarm in catalogue(config)], f"{config.system}-"
    zonal = () if config.load_balancer.cross_zone else _OF_HOSTS
    full = []
    for name in names:
        short = name.removeprefix(prefix)
        if short in made or short.startswith(tuple(f"{one}-" for one in zonal)):
            full.append(f"{prefix}{short}")
        elif short not in _OF_RUNNING:
            near = nearest(short, made) or made[0]
            raise ConfigError(
                f"`alarms.roll_back_on` names no alarm of this system: `{name}`",
                hint=f"write {near}; for all names: opsctl alarms status",
            )
    return full


# The functions below are long because they are tables: each row is an alarm.


def _ecs(config: Config) -> Iterator[Alarm]:
    cluster: Dimension = ("ClusterName", config.ecs.cluster_name)
    service = (cluster, ("ServiceName", config.ecs.service_name))
    limits = (("CPU", config.alarms.cpu_percent), ("Memory", config.alarms.memory_percent))
    for metric, limit in limits:
        word = metric.capitalize()
        # ECS sends neither without an instance or a running task; other alarms watch for that.
        yield Alarm(
            id=f"Cluster{word}Reservation",
            tells=f"an update may find no room for its tasks ({metric})",
            namespace=_ECS,
            metric=f"{metric}Reservation",
            dimensions=(cluster,),
            statistic="Average",
            comparison=">",
            threshold=limit,
            missing="notBreaching",
            because="without an instance nothing is reserved",
            then="opsctl status",
            of_roll=True,
        )
        yield Alarm(
            id=f"Service{word}",
            tells=f"the tasks use nearly all they have ({metric})",
            namespace=_ECS,
            metric=f"{metric}Utilization",
            dimensions=service,
            statistic="Average",
            comparison=">",
            threshold=limit,
            missing="notBreaching",
            because="without a task nothing is used; running-tasks tells of that",
            then="opsctl metrics service",
            of_roll=True,
        )
    fewest, most = config.ecs.fewest_tasks, config.ecs.most_tasks
    # Each running task sends one sample a minute: a task count without Container Insights.
    count = Alarm(
        id="RunningTasks",
        tells=f"fewer than {fewest} tasks have run for ten minutes",
        namespace=_ECS,
        metric="CPUUtilization",
        dimensions=service,
        statistic="SampleCount",
        comparison="<",
        threshold=fewest,
        missing="breaching",
        because="no sample means that no task runs",
        then="opsctl why",
        periods=10,
    )
    if fewest:
        yield count
    if config.ecs.scaling:
        yield replace(
            count,
            id="ScaledOut",
            tells=f"the service runs at its maximum of {most} tasks and cannot grow",
            comparison=">=",
            threshold=most,
            missing="notBreaching",
            because="without data no task runs, which is not the maximum",
            then="opsctl metrics service",
            periods=15,
            of_roll=True,
        )


def _load_balancer(config: Config, zones: Sequence[str]) -> Iterator[Alarm]:
    balancer: Dimension = ("LoadBalancer", "import:LoadBalancerFullName")
    targets = (("TargetGroup", "import:TargetGroupFullName"), balancer)
    fewest = ceil(config.ecs.fewest_tasks * config.ecs.minimum_healthy_percent / 100) or 1
    unhealthy = Alarm(
        id="UnhealthyHosts",
        tells="a task runs, but its Caddyfile's service did not come up or does not answer",
        namespace=_BALANCER,
        metric="UnHealthyHostCount",
        dimensions=targets,
        statistic="Minimum",
        comparison=">",
        threshold=0,
        missing="notBreaching",
        because="without a target none is unhealthy; healthy-hosts tells of that",
        then="opsctl why",
        of_roll=True,
    )
    healthy = replace(
        unhealthy,
        of_roll=False,
        id="HealthyHosts",
        tells=f"fewer than {fewest} tasks answer",
        metric="HealthyHostCount",
        statistic="Maximum",
        comparison="<",
        threshold=fewest,
        missing="breaching",
        because="without any target there is no data, which is an outage",
    )
    if not zones:
        yield unhealthy
    for zone in zones:
        there = (*targets, ("AvailabilityZone", zone))
        yield replace(unhealthy, dimensions=there, of=zone, tells=f"{unhealthy.tells}, in {zone}")
    if config.ecs.fewest_tasks and not zones:
        yield healthy
    for zone in zones if config.ecs.fewest_tasks else ():
        there = (*targets, ("AvailabilityZone", zone))
        tells = f"no task answers in {zone}"
        yield replace(healthy, dimensions=there, of=zone, tells=tells, threshold=1)
    routing = replace(
        unhealthy,
        of_roll=False,
        id="UnhealthyRouting",
        tells="no target is healthy, so all of them get traffic",
        metric="UnhealthyRoutingFlowCount",
        dimensions=(balancer,),
        statistic="Sum",
        because="the load balancer sends it only while it is not zero",
        periods=3,
    )
    yield routing
    yield replace(
        routing,
        id="PortAllocation",
        tells="the load balancer has no ports left for connections",
        metric="PortAllocationErrorCount",
        then="opsctl metrics lb",
        periods=1,
    )


def _cache(config: Config) -> Iterator[Alarm]:
    members = _members(config)
    for member, replica in members[:_MOST_MEMBERS]:
        dimensions = (("CacheClusterId", member), ("CacheNodeId", "0001"))
        of = member.removeprefix(f"{config.db.name}-") if len(members) > 1 else ""
        for alarm in _of_node(config, replica):
            yield replace(alarm, dimensions=dimensions, of=of)


def _members(config: Config) -> list[tuple[str, bool]]:
    """Return (node name as ElastiCache gives it, whether it may be a replica).

    After a failover the first one is a replica, too.
    """
    if config.db.kind == "cluster":
        return [(config.db.name, False)]
    numbers = range(1, (config.db.shards or 0) + 1)
    shards = [f"-{number:04}" for number in numbers] or [""]
    return [
        (f"{config.db.name}{shard}-{number:03}", config.db.nodes > 1)
        for shard in shards
        for number in range(1, config.db.nodes + 1)
    ]


def _of_node(config: Config, replica: bool) -> Iterator[Alarm]:
    cores = elasticache.cores(config.db.node_type)
    own = cores >= _CORES_OF_ITS_OWN
    cpu = Alarm(
        id="CacheCpu",
        tells="Redis' one thread is nearly always busy",
        namespace=_CACHE,
        metric="EngineCPUUtilization" if own else "CPUUtilization",
        dimensions=(),
        statistic="Average",
        comparison=">",
        threshold=_BUSY if own else _BUSY / cores,
        missing="missing",
        because="ElastiCache always sends it: a gap says nothing about the cache",
        then="opsctl metrics cache",
    )
    yield cpu
    yield replace(
        cpu,
        id="CacheMemory",
        tells="the cache will soon evict what it holds",
        metric="DatabaseMemoryUsagePercentage",
        threshold=config.alarms.cache_memory_percent,
    )
    evictions = replace(
        cpu,
        id="CacheEvictions",
        tells="the cache forgets entries for lack of memory",
        metric="Evictions",
        statistic="Sum",
        threshold=0,
    )
    yield evictions
    yield replace(
        cpu,
        id="CacheConnections",
        tells="connections are not given back",
        metric="CurrConnections",
        threshold=_MANY_CONNECTIONS,
        periods=10,
    )
    yield replace(
        cpu,
        id="CacheLatency",
        tells="commands are slow inside Redis: large hashes, or a busy node",
        metric="HashBasedCmdsLatency",
        threshold=_SLOW,
        missing="notBreaching",
        because="it is sent only for minutes with such commands",
    )
    for word, metric, tells in _NETWORK:
        yield replace(
            evictions,
            id=f"Cache{word}",
            tells=tells,
            metric=metric,
            missing="notBreaching",
            because="not every node type sends it",
        )
    if replica:
        yield replace(
            cpu,
            id="CacheReplicationLag",
            tells="the replica is seconds behind its primary",
            metric="ReplicationLag",
            threshold=30,
            missing="notBreaching",
            because="the primary has no lag and sends none",
            periods=15,
        )


# (part of the id, metric, what a count above zero means): causes of delay outside Redis.
_NETWORK = (
    ("NetworkIn", "NetworkBandwidthInAllowanceExceeded", "the node's network is too small (in)"),
    ("NetworkOut", "NetworkBandwidthOutAllowanceExceeded", "the node's network is too small (out)"),
    ("Conntrack", "NetworkConntrackAllowanceExceeded", "the node tracks too many connections"),
)


def _instances() -> Iterator[Alarm]:
    yield Alarm(
        id="InstanceStatus",
        tells="an instance fails its status checks",
        namespace="AWS/EC2",
        metric="StatusCheckFailed",
        dimensions=(("AutoScalingGroupName", "import:AutoScalingGroupName"),),
        statistic="Maximum",
        comparison=">=",
        threshold=1,
        missing="missing",
        because="without an instance there is none to fail",
        then="opsctl status",
        period=300,
        periods=2,
    )


def _logs(config: Config) -> Iterator[Alarm]:
    # A session of the agent lasts up to 30 minutes, and two idle ones send nothing in between.
    yield Alarm(
        id="AgentSilent",
        tells="no ECS agent has logged for an hour",
        namespace="AWS/Logs",
        metric="IncomingLogEvents",
        dimensions=(("LogGroupName", config.logs.group("agent")),),
        statistic="Sum",
        comparison="<",
        threshold=1,
        missing="breaching",
        because="a group without lines sends no zero, but nothing",
        then="opsctl logs tail agent ecs --since 2h",
        period=300,
        periods=12,
    )
