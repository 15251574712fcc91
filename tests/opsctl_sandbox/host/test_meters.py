"""Series are sent once a minute, counters as what was added, each task as a sample of its own."""

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opsctl_sandbox.cluster.failures import Failures
from opsctl_sandbox.cluster.intents import StartTask
from opsctl_sandbox.cluster.timings import Timings
from opsctl_sandbox.cluster.values import Group, GroupSpec
from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.host.balancer import Balancer, Flows, Routes
from opsctl_sandbox.host.meters import Meters, Traffic
from opsctl_sandbox.host.processes import Processes
from opsctl_sandbox.host.runner import Outcome, Runner
from opsctl_sandbox.images import Registry
from opsctl_sandbox.wire.calls import Call, Forward, Structure
from opsctl_sandbox.wire.http import Receive, Scope, Send
from opsctl_sandbox.wire.local_client import LocalClient

ARN = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/web/1"


async def nobody(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("ministack is not called")


async def nothing(intent: StartTask) -> Mapping[str, str]:
    return {}


class Bench:
    """Meters over an empty world, with what they sent and a clock to turn."""

    def __init__(self) -> None:
        self.now = 600.0
        self.sent: list[dict[str, Any]] = []
        self.traffic = Traffic(lambda: self.now)
        self.balancer = Balancer(Routes())
        inside = LocalClient(
            nobody, {("monitoring", "PutMetricData"): self._put}, account="1", region="us-east-1"
        )
        outcome = Outcome(
            lambda task: None, lambda *_: None, lambda *_: None, lambda task, line: None
        )
        self.world = World(random.Random(0), Timings(), Failures(), "1", "us-east-1", True)
        self.meters = Meters(
            inside,
            self.world,
            Runner(
                Processes(
                    Path("unused"), registry=Registry("", ""), environ={}, environment=nothing
                ),
                limit=2,
                outcome=outcome,
            ),
            self.traffic,
            self.balancer,
            load_balancers=dict,
            cache_ports=dict,
            clock=lambda: self.now,
        )

    async def _put(self, call: Call, forward: Forward) -> Structure:
        self.sent += call.parameters["MetricData"]
        return {}

    def sample(self) -> dict[str, float]:
        self.sent.clear()
        asyncio.run(self.meters.sample())
        return {one["MetricName"]: one["Value"] for one in self.sent}


def test_a_series_is_sent_once_a_minute() -> None:
    bench = Bench()
    bench.balancer.flows[ARN] = Flows(active=2)

    assert bench.sample()["ActiveFlowCount"] == 2
    assert bench.sample() == {}
    bench.now += 60
    assert bench.sample()["ActiveFlowCount"] == 2


def test_a_counter_gives_what_was_added_since_the_last_point() -> None:
    bench = Bench()
    flows = bench.balancer.flows.setdefault(ARN, Flows())
    flows.new = 5
    assert bench.sample()["NewFlowCount"] == 5
    flows.new = 7
    bench.sample()
    bench.now += 60

    assert bench.sample()["NewFlowCount"] == 2


def test_incoming_log_events_are_counted_by_group_and_then_forgotten() -> None:
    bench = Bench()
    bench.traffic.count("/app", 3, 90)
    bench.traffic.count("/app", 1, 10)
    assert bench.sample() == {}
    bench.now += 60
    assert bench.sample() == {"IncomingLogEvents": 4, "IncomingBytes": 100}
    bench.now += 60
    assert bench.sample() == {}


def test_log_events_count_in_the_minute_in_which_they_came_in() -> None:
    bench = Bench()
    bench.traffic.count("/app", 3, 90)
    # The first look in a minute comes seconds after its first lines.
    bench.now += 63
    bench.traffic.count("/app", 1, 10)
    bench.sample()
    bench.now += 60
    bench.sample()
    counts = [(one["Timestamp"], one["Value"]) for one in bench.sent]
    assert counts == [(660, 1), (660, 10)]


def test_a_group_sends_the_metrics_that_it_was_asked_for_and_no_other() -> None:
    bench = Bench()
    group = Group("arn", GroupSpec("web", "web", 2, 0, 3, ("us-east-1a",)), 2, 0.0)
    bench.world.groups["web"] = group
    assert bench.sample() == {}
    group.metrics = frozenset({"GroupDesiredCapacity"})
    assert bench.sample() == {"GroupDesiredCapacity": 2}


def test_a_point_belongs_to_the_minute_that_is_over() -> None:
    bench = Bench()
    bench.now = 630.0
    group = Group("arn", GroupSpec("web", "web", 2, 0, 3, ("us-east-1a",)), 2, 0.0)
    bench.world.groups["web"] = group
    group.metrics = frozenset({"GroupDesiredCapacity"})
    bench.sample()

    assert {one["Timestamp"] for one in bench.sent} == {540.0}
