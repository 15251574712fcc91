"""A service on an Auto Scaling group in the sandbox's simulation, acted on and looked at as AWS is.

The simulation's rules are AWS's, with their sources in docs/simulation.md, and know nothing of
what opsctl believes. Beside them here: AWS may be slow to do what it was told (`slow`), the parts
of one look are read one after another, and a process may be killed at any call.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from opsctl.aws import Caller
from opsctl.config.sources import START_LOG_BEGINS, START_LOG_ENDS
from opsctl.rollout.instances import Machine
from opsctl.snapshot import start_logs
from opsctl.snapshot.instances import Activity, ContainerInstance, Group, GroupInstance
from opsctl.snapshot.snapshot import Kind, Look, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl_sandbox.cluster import instances, placement, services, start
from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.failures import Failure
from opsctl_sandbox.cluster.intents import DeregisterTarget
from opsctl_sandbox.cluster.timings import Timings
from opsctl_sandbox.cluster.values import (
    GroupSpec,
    Instance,
    LoadBalancer,
    ServiceSpec,
    StartScript,
)
from tests.opsctl.rollout import simulated
from tests.opsctl.snapshots import START, stack
from tests.opsctl.ssm import Killed, Ssm, Writer

CPU, MEMORY = 512, 400
# The group knows when each instance was launched for a while only.
_ACTIVITIES = 20


class Fleet(Writer):
    """`slow` is how many seconds AWS takes to do what it was told, `boots` how long a new instance
    is started. `lost` tells which requests would have been lost, and why."""

    def __init__(
        self,
        machine: Machine,
        *,
        old: Machine,
        size: int = 2,
        minimum: int = 0,
        maximum: int = 3,
        tasks: int = 4,
        minimum_percent: int = 100,
        maximum_percent: int = 200,
        boots: float = 60.0,
        slow: float = 0.0,
        zones: str = "ab",
        drain: float = 30.0,
        port: int = 0,
        seed: int = 0,
        tells: bool = True,
    ) -> None:
        super().__init__(Ssm())
        self.caller = Caller("roll", host="laptop", process="p", gone=lambda _: True)
        timings = Timings(start_script=boots, register_target=20.0, acs_session=1800.0)
        self.engine = engine = Engine(seed, timings=timings)
        self.machine = machine
        self.slow = slow
        self.tells = tells
        self.calls: list[str] = []
        self.lost: list[str] = []
        self.tags: dict[str, str] = {}
        self.template = ""
        self.looks = 0
        self.consoles = 0
        self.dies_at: int | None = None
        self.ssm.before = self._or_dead
        self._told: list[tuple[float, Callable[[], object]]] = []
        self._drains: dict[str, float] = {}
        self._ended: set[str] = set()
        engine.world.clusters["web"] = {}
        engine.create_group(_spec(old, size, minimum, maximum, tuple(zones)))
        self._service = engine.create_service(
            ServiceSpec(
                "web",
                "web",
                _definition(engine, port),
                tasks,
                minimum_percent,
                maximum_percent,
                (LoadBalancer("tg", "web", 8082, 10.0, deregistration_delay=drain),),
            )
        )
        engine.advance(900.0)
        self.launches(machine)
        self.fewest = self.healthy()
        self._best = 0
        self._fewest_asked = tasks

    # What a procedure is given.

    @property
    def cloudformation(self) -> Any:
        return SimpleNamespace(get_template=lambda StackName: {"TemplateBody": self.template})

    @property
    def autoscaling(self) -> "Fleet":
        return self

    @property
    def ecs(self) -> "Fleet":
        return self

    def check_account(self) -> None:
        pass

    def look(self, look: Look) -> Snapshot:
        """The service first, then its instances, a second later each."""
        self.looks += 1
        self.pass_time(1)
        first = simulated.look(self.engine, self._service, {})
        self.pass_time(1)
        now = replace(first, instances=self._instances())
        self.pass_time(1)
        parameters = {"AmiId": self.machine.image}
        stacks: dict[Kind, StackState] = {
            "ecs": stack("ecs", "UPDATE_COMPLETE", parameters=parameters)
        }
        now = replace(now, at=self._at(self.engine.world.now), group=self._group(), stacks=stacks)
        return replace(now, start_logs=self._consoles()) if "start_logs" in look.parts else now

    # The calls.

    def set_desired_capacity(self, *, DesiredCapacity: int, **_: Any) -> None:
        group = self.group.spec
        assert group.minimum <= DesiredCapacity <= group.maximum, "ValidationError"
        # AWS sets the number at once; what comes of it takes its time.
        self._call(f"desire {DesiredCapacity}", lambda: self.resize(DesiredCapacity), now=True)

    def update_container_instances_state(
        self, *, containerInstances: list[str], status: str, **_: Any
    ) -> None:
        assert status == "DRAINING"
        [instance] = containerInstances
        self._call(f"drain {instance}", lambda: self.drain(instance))

    def terminate_instance_in_auto_scaling_group(
        self, *, InstanceId: str, ShouldDecrementDesiredCapacity: bool
    ) -> None:
        group, going = self.group, self.engine.world.instances[InstanceId]
        if ShouldDecrementDesiredCapacity:
            assert group.desired > group.spec.minimum, "ValidationError: desiredSize equals minSize"

        def terminate() -> None:
            if not going.leaving:
                group.desired -= ShouldDecrementDesiredCapacity
                self.engine.end_instance(InstanceId)

        self._call(f"terminate {InstanceId}", terminate)

    def create_or_update_tags(self, *, Tags: list[dict[str, Any]]) -> None:
        self._call("tag", lambda: self.tags.update({t["Key"]: t["Value"] for t in Tags}), now=True)

    def delete_tags(self, *, Tags: list[dict[str, Any]]) -> None:
        self._call("untag", lambda: [self.tags.pop(t["Key"], None) for t in Tags], now=True)

    def _call(self, name: str, do: Callable[[], object], *, now: bool = False) -> None:
        self._or_dead()
        self.calls.append(name)
        if now:
            do()
        else:
            self.later(self.slow, do)
        self._or_dead()

    def bury(self, close: Callable[[], None]) -> None:
        """What a killed process would still do, it does not."""
        self.dies_at = 0
        with suppress(Killed):
            close()
        self.dies_at = None

    def _or_dead(self, call: str = "") -> None:
        """With kill -9 at one of these moments: no call of the process comes any more."""
        if self.dies_at is not None:
            self.dies_at -= 1
            if self.dies_at < 0:
                raise Killed

    # What others do, and what happens by itself.

    @property
    def group(self) -> Any:
        return self.engine.world.groups["asg"]

    def launches(self, machine: Machine) -> None:
        """What the launch template gives from now on."""
        group = self.group
        spec = _spec(
            machine, group.desired, group.spec.minimum, group.spec.maximum, group.spec.zones
        )
        self.engine.update_group(spec)

    def resize(self, desired: int) -> None:
        self.engine.update_group(replace(self.group.spec, desired=desired))

    def allow(self, maximum: int) -> None:
        self.group.spec = replace(self.group.spec, maximum=maximum)

    def scale(self, tasks: int) -> None:
        self._fewest_asked = min(self._fewest_asked, tasks)
        self.engine.update_service(replace(self._service.spec, desired=tasks))

    def drain(self, instance: str) -> None:
        self.engine.drain_instance(instance)

    def silence(self, *chosen: str, silent: bool = True) -> None:
        """Their agents are not heard of any more; what runs there runs on."""
        world = self.engine.world
        for one in chosen or tuple(world.instances):
            start.connect_agent(world, world.instances[one], not silent)

    def fails(self, *failures: Failure) -> None:
        self.engine.plan_failures(failures)

    def later(self, seconds: float, do: Callable[[], object]) -> None:
        self._told.append((self.engine.world.now + seconds, do))

    def pass_time(self, seconds: float) -> None:
        end = self.engine.world.now + seconds
        while self.engine.world.now < end:
            now = self.engine.world.now + 1
            due = [do for at, do in self._told if at <= now]
            self._told = [(at, do) for at, do in self._told if at > now]
            self.engine.advance(now)
            for do in due:
                do()
            self._watch()

    # What became of it.

    @property
    def desired(self) -> int:
        return int(self.group.desired)

    @property
    def alive(self) -> list[Instance]:
        return instances.of_group(self.engine.world, "asg")

    def zones(self) -> Counter[str]:
        return Counter(one.zone for one in self.alive)

    def healthy(self) -> int:
        return sum(t.state == "healthy" for t in self.engine.world.targets.values())

    @property
    def least(self) -> int:
        """How many healthy targets the minimum percent asks for."""
        spec = self._service.spec
        desired = self._fewest_asked
        return services.bounds(desired, spec.minimum_percent, spec.maximum_percent).lower

    def _watch(self) -> None:
        """A request is lost when it is sent where nothing answers, or cut before it ended."""
        world, healthy = self.engine.world, self.healthy()
        for intent in self.engine.intents():
            if isinstance(intent, DeregisterTarget):
                self._drains[intent.task] = world.now + intent.delay
        for target in world.targets.values():
            task = world.tasks.get(target.task)
            if target.state == "healthy" and (task is None or task.status != "RUNNING"):
                self.lost.append(f"{world.now}: {target.instance} answers no more")
        for task in world.tasks.values():
            if task.stopped is None or task.arn in self._ended:
                continue
            self._ended.add(task.arn)
            cut = task.stopped < self._drains.get(task.arn, 0.0)
            if (task.stop_code == "TerminationNotice" and task.was_healthy) or cut:
                self.lost.append(f"{world.now}: {task.id} on {task.instance} was cut off")
        least = min(self.least, self._best)
        self._best = max(self._best, healthy)
        self.fewest = min(self.fewest, healthy)
        if healthy < least:
            self.lost.append(f"{world.now}: {healthy} of {least} targets are healthy")

    def _at(self, seconds: float) -> Any:
        return START + timedelta(seconds=seconds)

    def _instances(self) -> tuple[ContainerInstance, ...]:
        world = self.engine.world
        return tuple(self._instance(one) for one in placement.container_instances(world, "web"))

    def _instance(self, one: Instance) -> ContainerInstance:
        world = self.engine.world
        left = placement.room(world, one)
        held = placement.occupants(world, one.id)
        return ContainerInstance(
            # Tasks name the instance that they are on by its id here.
            one.id,
            one.id,
            "DRAINING" if one.draining else "ACTIVE",
            one.agent_connected,
            left.cpu,
            left.memory,
            whole_cpu=one.cpu,
            whole_memory=one.memory,
            zone=one.zone,
            image=one.image,
            type=one.instance_type,
            machine=dict(one.script.attributes).get("opsctl.machine", ""),
            running=sum(task.status == "RUNNING" for task in held),
            joined=self._at(one.joined_at or 0.0),
        )

    def _consoles(self) -> dict[str, tuple[str, ...]]:
        self.consoles += 1
        members = [one for one in self.alive if not one.joined]
        return {
            one.id: tuple(start_logs.last_words([line for _, line in one.console]))
            for one in members
            if self.tells
        }

    def _group(self) -> Group:
        world, group = self.engine.world, self.group
        return Group(
            "asg",
            group.spec.minimum,
            group.spec.maximum,
            group.desired,
            tuple(
                GroupInstance(one.id, one.zone, _lifecycle(one))
                for one in world.instances.values()
                if one.group == "asg" and one.state != "terminated"
            ),
            tuple(
                Activity(a.id, a.status, a.description, a.message, self._at(a.start))
                for a in group.activities[:_ACTIVITIES]
            ),
            dict(self.tags),
            tuple(group.suspended),
        )


def _lifecycle(one: Instance) -> str:
    if one.state == "running":
        return "InService"
    return "Pending" if one.state == "pending" else "Terminating"


def _spec(
    machine: Machine, desired: int, minimum: int, maximum: int, zones: Iterable[str]
) -> GroupSpec:
    return GroupSpec(
        "asg",
        "web",
        desired,
        minimum,
        maximum,
        tuple(zones),
        instance_type=machine.type,
        launch=machine.image + machine.hash,
        image=machine.image,
        script=StartScript(
            attributes=(("opsctl.machine", machine.hash),),
            signal="joined",
            last_words=START_LOG_BEGINS,
            last_of_all=START_LOG_ENDS,
            stops_agent=True,
        ),
    )


def _definition(engine: Engine, port: int) -> str:
    ports = [{"containerPort": 8082, "hostPort": port}]
    container = {"name": "web", "image": "web@1", "cpu": CPU, "memory": MEMORY}
    document = {"family": "web", "containerDefinitions": [{**container, "portMappings": ports}]}
    return engine.register(document).arn
