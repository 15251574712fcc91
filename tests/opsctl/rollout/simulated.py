"""Snapshots of a service in the sandbox's simulation, without a server or a clock."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from opsctl.rollout.verdict import Goal
from opsctl.snapshot.instances import ContainerInstance
from opsctl.snapshot.service import Deployment, Service
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.targets import Target
from opsctl.snapshot.task_definitions import TaskDefinition
from opsctl.snapshot.tasks import Container, Task
from opsctl_sandbox.cluster import values
from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.failures import Failure
from opsctl_sandbox.cluster.intents import WriteLog
from opsctl_sandbox.cluster.values import GroupSpec, LoadBalancer, ServiceSpec
from tests.opsctl.snapshots import NAMES, START

READY = 900.0  # simulated seconds until the first deployment is whole


class Simulated:
    """A service of eight tasks that serves, and can be rolled to a second revision."""

    def __init__(
        self,
        seed: int,
        *failures: Failure,
        maximum: int = 200,
        desired: int = 8,
        instances: int = 4,
        minimum: int = 100,
    ) -> None:
        self._engine = engine = Engine(seed, failures=failures)
        engine.world.clusters["web"] = {}
        zones = ("us-east-1a", "us-east-1b")
        self._group = GroupSpec("asg", "web", instances, 0, 10, zones, instance_type="t3.xlarge")
        engine.create_group(self._group)
        spec = ServiceSpec("web", "web", self._revision("web@1"), desired, minimum, maximum)
        balancer = LoadBalancer("tg", "web", 8082, deregistration_delay=30.0)
        spec = replace(spec, breaker=True, rollback=True, load_balancers=(balancer,))
        self._service = engine.create_service(spec)
        self._lines: dict[str, tuple[str, ...]] = {}
        self._odd: frozenset[str] = frozenset()
        self._now = READY
        self.waves = 0
        engine.advance(READY)

    def roll(self) -> None:
        spec = replace(self._service.spec, task_definition=self._revision("web@2"))
        self._engine.update_service(spec)

    def grow(self, instances: int) -> None:
        """The group gets room, as somebody or a capacity provider gives it."""
        self._engine.update_group(replace(self._group, desired=instances))

    @property
    def instances(self) -> list[str]:
        """The EC2 ids of the instances that are there."""
        return sorted(self._engine.world.instances)

    def has_an_odd_one(self, number: int, *, times: int | None, after: float) -> None:
        """One instance is of another processor than the image, at least for so many tasks."""
        instance = self.instances[number % len(self.instances)]
        self._odd = frozenset({instance})
        odd = Failure("wrong-architecture", match=instance, times=times, after=after)
        self._engine.plan_failures([odd])

    def stop(self, ids: Sequence[str]) -> None:
        """What StopTask does to each."""
        for task in [one for one in self._engine.world.tasks.values() if one.id in ids]:
            self._engine.stop_task(task.arn)
        self.waves += bool(ids)

    def goal(self) -> Goal:
        return Goal.from_now("web@2", self.look())

    def looks(self, *, every: float, until: float) -> Iterator[Snapshot]:
        end = self._now + until
        while self._now < end:
            self._now += every
            self._engine.advance(self._now)
            yield self.look()

    @property
    def deployed(self) -> bool:
        """The second revision is the primary, and completed."""
        primary = self._service.primary
        return primary.rollout == "COMPLETED" and primary.task_definition.endswith(":2")

    @property
    def over(self) -> bool:
        """No deployment is under way, and the roll has begun."""
        states = {one.rollout for one in self._service.deployments}
        return len(self._service.deployments) == 1 and "IN_PROGRESS" not in states

    def look(self) -> Snapshot:
        now = look(self._engine, self._service, self._lines)
        instances = (replace(one, type="t4g") if one.id in self._odd else one
                     for one in now.instances)  # fmt: skip
        return replace(now, instances=tuple(instances))

    def _revision(self, image: str) -> str:
        container = {
            "name": "web",
            "image": image,
            "cpu": 512,
            "memory": 400,
            "portMappings": [{"containerPort": 8082, "hostPort": 0}],
        }
        document = {"family": "web", "containerDefinitions": [container]}
        return self._engine.register(document).arn


def look(engine: Engine, service: values.Service, lines: dict[str, tuple[str, ...]]) -> Snapshot:
    """The service `web` as it is now; what its tasks wrote is added to `lines`."""
    world = engine.world
    for intent in engine.intents():
        if isinstance(intent, WriteLog) and intent.subject in world.tasks:
            lines[world.tasks[intent.subject].id] = intent.lines
    mine = [one for one in world.tasks.values() if one.service == "web"]
    deployments = tuple(_deployment(one, mine) for one in service.deployments)
    described = Service(
        "web",
        "web",
        service.spec.desired,
        sum(one.running for one in deployments),
        sum(one.pending for one in deployments),
        service.primary.task_definition,
        deployments,
        target_groups=("tg",),
        minimum_percent=service.spec.minimum_percent,
        maximum_percent=service.spec.maximum_percent,
    )
    return Snapshot(
        START + timedelta(seconds=world.now),
        NAMES,
        service=described,
        tasks=tuple(map(_task, mine)),
        task_definitions=tuple(
            TaskDefinition(one.arn, tuple(c["image"] for c in one.containers), 512, 400)
            for one in world.definitions.values()
        ),
        targets=tuple(
            Target(f"{one.instance}:{one.port}", one.state, one.reason, one.description)
            for one in world.targets.values()
        ),
        lines=dict(lines),
        instances=tuple(
            ContainerInstance(one.id, one.id, "ACTIVE", one.agent_connected)
            for one in world.instances.values()
        ),
    )


def _deployment(one: values.Deployment, tasks: list[values.Task]) -> Deployment:
    mine = [task for task in tasks if task.deployment == one.id]
    return Deployment(
        one.id,
        one.status,
        one.task_definition,
        one.desired,
        sum(task.status == "RUNNING" for task in mine),
        sum(task.status in ("PROVISIONING", "PENDING", "ACTIVATING") for task in mine),
        one.failed_tasks,
        one.rollout,
        one.rollout_reason,
        START + timedelta(seconds=one.created),
    )


def _task(one: values.Task) -> Task:
    return Task(
        one.id,
        one.status,
        one.definition.arn,
        one.deployment,
        one.instance,
        stop_code=one.stop_code,
        reason=one.stopped_reason,
        containers=tuple(
            Container(
                container.name,
                container.exit_code,
                container.reason,
                ports=tuple(host for _, host in container.host_ports),
            )
            for container in one.containers
        ),
        created=START + timedelta(seconds=one.created),
        started=_moment(one.started),
        stopped=_moment(one.stopped),
        desired=one.desired,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else START + timedelta(seconds=seconds)
