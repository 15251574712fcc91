"""The metrics that ECS, the load balancer, ElastiCache, Logs and Auto Scaling would send: one point
per series and minute, measured on what really runs here.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.host import redis_metrics
from opsctl_sandbox.host.balancer import Balancer
from opsctl_sandbox.host.runner import Runner
from opsctl_sandbox.wire.local_client import LocalClient

_BATCH = 500
_NODES = (("CacheNodeId", "0001"),)


@dataclass(frozen=True)
class Point:
    """One sample. `of` distinguishes samples of one series, because each task sends its own.

    `minute` is the minute it belongs to, in epoch seconds; None: the last complete one.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    value: float
    unit: str = "Count"
    of: str = ""
    minute: int | None = None

    @property
    def series(self) -> tuple[Any, ...]:
        return (self.namespace, self.name, self.dimensions, self.of)


@dataclass
class Traffic:
    """Log events and bytes received, by group and by minute, since `take` was last called."""

    clock: Callable[[], float] = time.time
    events: Counter[tuple[str, int]] = field(default_factory=Counter)
    bytes: Counter[tuple[str, int]] = field(default_factory=Counter)

    def count(self, group: str, events: int, size: int) -> None:
        key = (group, _minute(self.clock()))
        self.events[key] += events
        self.bytes[key] += size

    def take(self, now: float) -> Iterator[Point]:
        """Of the minutes that are over."""
        for name, counter, unit in (
            ("IncomingLogEvents", self.events, "None"),
            ("IncomingBytes", self.bytes, "Bytes"),
        ):
            for group, minute in [key for key in counter if key[1] < _minute(now)]:
                value = counter.pop((group, minute))
                mine = (("LogGroupName", group),)
                yield Point("AWS/Logs", name, mine, value, unit, minute=minute)


class Meters:
    def __init__(
        self,
        inside: LocalClient,
        world: World,
        runner: Runner,
        traffic: Traffic,
        balancer: Balancer,
        *,
        load_balancers: Callable[[], Mapping[str, str]],
        cache_ports: Callable[[], Mapping[str, int]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`load_balancers` maps target groups to load balancers, by full names and ARNs.

        `cache_ports` returns the port of each cache cluster's server.
        """
        self._inside = inside
        self._world = world
        self._runner = runner
        self._traffic = traffic
        self._balancer = balancer
        self._load_balancers = load_balancers
        self._cache_ports = cache_ports
        self._clock = clock
        self._minute = 0
        self._sent: set[tuple[Any, ...]] = set()
        self._counters: dict[tuple[Any, ...], float] = {}
        self._cpu: dict[str, tuple[float, float]] = {}

    async def sample(self) -> None:
        """Send what was not sent in this minute yet. Call it every few seconds."""
        used = await self._used()
        now = self._clock()
        points: list[Point] = []
        if int(now // 60) != self._minute:
            self._minute = int(now // 60)
            self._sent.clear()
            points += self._traffic.take(now)
        points += [*self._ecs(used), *self._targets(), *self._groups(), *await self._cache()]
        points += self._flows()
        fresh = [one for one in points if one.series not in self._sent]
        self._sent |= {one.series for one in fresh}
        for namespace in {one.namespace for one in fresh}:
            data = [_datum(one, now) for one in fresh if one.namespace == namespace]
            for start in range(0, len(data), _BATCH):
                await self._inside.call(
                    "monitoring",
                    "PutMetricData",
                    Namespace=namespace,
                    MetricData=data[start : start + _BATCH],
                )

    def _ecs(self, used: Mapping[str, tuple[float, float]]) -> Iterator[Point]:
        instances = [one for one in self._world.instances.values() if one.joined]
        for cluster in {one.cluster for one in instances}:
            mine = [one for one in instances if one.cluster == cluster]
            cpu, memory = sum(one.cpu for one in mine), sum(one.memory for one in mine)
            tasks = [
                one
                for one in self._world.tasks.values()
                if one.cluster == cluster and one.status != "STOPPED"
            ]
            name = (("ClusterName", cluster),)
            reserved = sum(one.definition.cpu for one in tasks)
            yield _percent("CPUReservation", name, reserved, cpu)
            reserved = sum(one.definition.memory for one in tasks)
            yield _percent("MemoryReservation", name, reserved, memory)
            uses = [used[one.arn] for one in tasks if one.arn in used]
            yield _percent("CPUUtilization", name, sum(one[0] for one in uses), cpu)
            yield _percent("MemoryUtilization", name, sum(one[1] for one in uses), memory)
            shares: dict[tuple[str, str, str], list[float]] = {}
            for task in tasks:
                if task.arn in used and task.service:
                    both = (*name, ("ServiceName", task.service))
                    units, megabytes = used[task.arn]
                    size = task.definition
                    for point in (
                        _percent("CPUUtilization", both, units, size.cpu, task.id),
                        _percent("MemoryUtilization", both, megabytes, size.memory, task.id),
                    ):
                        shares.setdefault((cluster, task.service, point.name), []).append(
                            point.value
                        )
                        yield point
            for key, values in shares.items():
                self._world.utilization[key] = sum(values) / len(values)

    async def _used(self) -> dict[str, tuple[float, float]]:
        """Return the CPU units and MiB of each task, by what its copy used since the last call."""
        used: dict[str, tuple[float, float]] = {}
        running = self._runner.running()
        usages = await asyncio.gather(*(copy.usage() for copy, _ in running))
        now = self._clock()
        for (copy, tasks), usage in zip(running, usages, strict=True):
            if usage is None:
                continue
            before, at = self._cpu.get(copy.key, (usage.seconds, now - 1))
            self._cpu[copy.key] = (usage.seconds, now)
            units = max(0.0, usage.seconds - before) / max(now - at, 0.001) * 1024
            for task in tasks:
                used[task] = (units / len(tasks), usage.megabytes / len(tasks))
        live = {copy.key for copy, _ in running}
        self._cpu = {key: value for key, value in self._cpu.items() if key in live}
        return used

    def _targets(self) -> Iterator[Point]:
        for group, balancer in self._load_balancers().items():
            targets = [one for one in self._world.targets.values() if one.target_group == group]
            full_name = group.rpartition(":")[2]
            whole = (("LoadBalancer", balancer), ("TargetGroup", full_name))
            zones = {one.zone for one in self._world.instances.values()}
            for zone in ("", *sorted(zones)):
                names = (("AvailabilityZone", zone), *whole) if zone else whole
                states = [
                    one.state
                    for one in targets
                    if not zone or self._world.instances[one.instance].zone == zone
                ]
                for name, counted in (
                    ("HealthyHostCount", ("healthy",)),
                    ("UnHealthyHostCount", ("unhealthy", "initial")),
                ):
                    count = sum(state in counted for state in states)
                    yield Point("AWS/NetworkELB", name, names, count)

    def _groups(self) -> Iterator[Point]:
        for name, group in self._world.groups.items():
            mine = (("AutoScalingGroupName", name),)
            running = [
                one
                for one in self._world.instances.values()
                if one.group == name and one.state == "running"
            ]
            for metric, value in (
                ("GroupDesiredCapacity", group.desired),
                ("GroupInServiceInstances", len(running)),
            ):
                if metric in group.metrics:
                    yield Point("AWS/AutoScaling", metric, mine, value)

    async def _cache(self) -> list[Point]:
        points = [
            Point("AWS/ElastiCache", name, (("CacheClusterId", cluster), *_NODES), value, unit)
            for cluster, port in self._cache_ports().items()
            for name, (value, unit) in (
                await asyncio.to_thread(redis_metrics.figures, port)
            ).items()
        ]
        return [
            self._since_last(one) if one.name in redis_metrics.COUNTERS else one for one in points
        ]

    def _flows(self) -> Iterator[Point]:
        for arn, flows in self._balancer.flows.items():
            mine = (("LoadBalancer", arn.partition(":loadbalancer/")[2]),)
            yield Point("AWS/NetworkELB", "ActiveFlowCount", mine, flows.active)
            for name, ever, unit in (
                ("NewFlowCount", flows.new, "Count"),
                ("ProcessedBytes", flows.bytes, "Bytes"),
            ):
                yield self._since_last(Point("AWS/NetworkELB", name, mine, ever, unit))

    def _since_last(self, point: Point) -> Point:
        """Return a counter's increase since the last point that was sent."""
        if point.series in self._sent:
            return point
        before = self._counters.get(point.series, 0.0)
        self._counters[point.series] = point.value
        return replace(point, value=max(0.0, point.value - before))


def _minute(now: float) -> int:
    return int(now // 60) * 60


def _percent(
    name: str, dimensions: tuple[tuple[str, str], ...], part: float, whole: float, of: str = ""
) -> Point:
    value = 100 * part / whole if whole else 0.0
    return Point("AWS/ECS", name, dimensions, value, "Percent", of)


def _datum(point: Point, now: float) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in point.dimensions]
    return {
        "MetricName": point.name,
        "Dimensions": dimensions,
        "Value": float(point.value),
        "Unit": point.unit,
        # The last complete minute: CloudWatch does not show the present one yet.
        "Timestamp": _minute(now) - 60 if point.minute is None else point.minute,
    }
