"""The state of the simulation and its agenda: what exists now, and what happens when."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from opsctl_sandbox.cluster.failures import Failures
from opsctl_sandbox.cluster.intents import Intent
from opsctl_sandbox.cluster.timings import Timings
from opsctl_sandbox.cluster.values import (
    CapacityProvider,
    Document,
    Group,
    Instance,
    ScalableTarget,
    Service,
    Target,
    Task,
    TaskDefinition,
)

Key = tuple[str, str]
Need = Literal["log group", "secret", "machine image"]


@dataclass(slots=True)
class World:
    """Everything that exists. All may read it; only the engine's modules write."""

    random: random.Random
    timings: Timings
    failures: Failures
    account: str
    region: str
    real_tasks: bool
    now: float = 0.0
    clusters: dict[str, Document] = field(default_factory=dict)
    definitions: dict[str, TaskDefinition] = field(default_factory=dict)
    inactive: set[str] = field(default_factory=set)
    services: dict[Key, Service] = field(default_factory=dict)
    """By (cluster name, service name)."""
    tasks: dict[str, Task] = field(default_factory=dict)
    """By ARN; a stopped one is forgotten after an hour."""
    instances: dict[str, Instance] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    providers: dict[str, CapacityProvider] = field(default_factory=dict)
    deleted_groups: dict[str, Group] = field(default_factory=dict)
    """For their activities, which AWS tells for six weeks."""
    targets: dict[tuple[str, str, int], Target] = field(default_factory=dict)
    """By (target group ARN, instance id, port)."""
    targets_of: dict[str, list[Target]] = field(default_factory=dict)
    """The same by the ARN of their task: the scheduler asks for each task at each round."""
    digest_of: Callable[[str], str | None] = field(default=lambda image: "")
    """What an image reference means in the registry now: its digest, empty when nobody knows,
    None when there is no such image."""
    holds: Callable[[Need, str], bool] = field(default=lambda need, name: True)
    """Whether there is such a log group, or such a secret, by what a task definition calls it."""
    scalable: dict[Key, ScalableTarget] = field(default_factory=dict)
    """By (cluster name, service name)."""
    utilization: dict[tuple[str, str, str], float] = field(default_factory=dict)
    """Percent, by (cluster name, service name, metric): what the tasks use now."""
    alarms: dict[str, str] = field(default_factory=dict)
    """The state of every CloudWatch alarm, by name."""
    outbox: list[Intent] = field(default_factory=list)
    _agenda: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = field(
        default_factory=list
    )
    _sequence: int = 0

    def after(self, delay: float, act: Callable[..., None], *arguments: Any) -> None:
        """Schedule an act.

        Acts at the same moment run in the order in which they were scheduled.
        """
        self._sequence += 1
        heapq.heappush(self._agenda, (self.now + delay, self._sequence, act, arguments))

    def run(self, to: float) -> None:
        """Run the agenda up to `to`, in order, and set the time to `to`."""
        while self._agenda and self._agenda[0][0] <= to:
            when, _, act, arguments = heapq.heappop(self._agenda)
            self.now = max(self.now, when)
            act(*arguments)
        self.now = max(self.now, to)

    def emit(self, intent: Intent) -> None:
        self.outbox.append(intent)

    def about(self, seconds: float) -> float:
        """Return `seconds` with random jitter from the seeded source."""
        spread = self.timings.jitter
        return seconds * self.random.uniform(1 - spread, 1 + spread)

    def identifier(self, digits: int = 32) -> str:
        return f"{self.random.getrandbits(digits * 4):0{digits}x}"

    def uuid(self) -> str:
        raw = self.identifier()
        return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-8{raw[17:20]}-{raw[20:]}"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"
