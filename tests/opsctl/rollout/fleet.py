"""An Auto Scaling group with a cluster and a service on it, in memory: what a roll of its instances
acts on and looks at.

ECS starts tasks elsewhere for an instance that drains within the service's minimum and maximum
percent, and stops the old ones only then:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html
Auto Scaling launches in the zone with the fewest instances:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-availability-zone-balanced.html
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from opsctl.rollout.instances import Machine
from opsctl.snapshot.instances import Activity, ContainerInstance, Group, GroupInstance
from opsctl.snapshot.service import Service
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.targets import Target
from opsctl.snapshot.tasks import Task
from tests.opsctl.snapshots import (
    DEFINITIONS,
    NAMES,
    OLD,
    START,
    deployment,
    service,
    stack,
)
from tests.opsctl.ssm import Ssm, Writer

CPU, MEMORY = 512, 400  # of the task definition OLD
WHOLE_CPU, WHOLE_MEMORY = 2048, 3800


@dataclass(slots=True)
class Vm:
    id: str
    zone: str
    machine: Machine
    launched: datetime
    joins: datetime
    draining: bool = False
    ends: datetime | None = None
    connected: bool = True

    @property
    def arn(self) -> str:
        return f"arn:aws:ecs:us-east-1:1:container-instance/web/{self.id}"


@dataclass(slots=True)
class Running:
    id: str
    on: str
    healthy: datetime
    stops: datetime | None = None


class Fleet(Writer):
    """`slow` is how many seconds AWS takes to show what was done, `start` to bring a machine up.

    `ties` are the zones that it launches in, one after another, when both have as many.
    """

    instead: Machine | None = None  # what the launch template gives, where it is wrong

    def __init__(
        self,
        machine: Machine,
        *,
        old: Machine,
        size: int = 2,
        maximum: int = 3,
        tasks: int = 4,
        minimum_percent: int = 100,
        maximum_percent: int = 200,
        start: float = 60.0,
        slow: float = 0.0,
        ties: Iterable[str] = (),
    ) -> None:
        super().__init__(Ssm())
        self.now = START
        self.machine = machine
        self.desired = size
        self.maximum = maximum
        self.tags: dict[str, str] = {}
        self.wanted = tasks
        self.minimum_percent = minimum_percent
        self.maximum_percent = maximum_percent
        self.start = timedelta(seconds=start)
        self.slow = timedelta(seconds=slow)
        self.joins = True
        self.refusal = ""
        self.vms: list[Vm] = []
        self.tasks: list[Running] = []
        self.activities: list[Activity] = []
        self.calls: list[str] = []
        self.fewest = tasks
        self._count = 0
        self._ties = iter(ties)
        self._waiting: list[tuple[datetime, Any]] = []
        self._shown = self._view()
        before = START - timedelta(days=1)
        for _ in range(size):
            self._launch(old, before, before)
        self._place(before)
        self._shown = self._view()

    # What a procedure is given.

    @property
    def autoscaling(self) -> "Fleet":
        return self

    @property
    def ecs(self) -> "Fleet":
        return self

    def check_account(self) -> None:
        pass

    def look(self, look: Look) -> Snapshot:
        self.pass_time(5)
        return self._shown

    # The calls. Each takes effect when AWS gets to it.

    def set_desired_capacity(self, *, DesiredCapacity: int, **_: Any) -> None:
        assert DesiredCapacity <= self.maximum, "ValidationError: above the maximum size"
        self.calls.append(f"desire {DesiredCapacity}")
        self._later(lambda: setattr(self, "desired", DesiredCapacity))

    def update_container_instances_state(
        self, *, containerInstances: list[str], status: str, **_: Any
    ) -> None:
        assert status == "DRAINING"
        self.calls.append(f"drain {containerInstances[0].rpartition('/')[2]}")
        for vm in self.vms:
            if vm.arn in containerInstances:
                self._later(lambda vm=vm: setattr(vm, "draining", True))

    def terminate_instance_in_auto_scaling_group(
        self, *, InstanceId: str, ShouldDecrementDesiredCapacity: bool
    ) -> None:
        self.calls.append(f"terminate {InstanceId}")

        def terminate() -> None:
            vm = next(one for one in self.vms if one.id == InstanceId)
            if vm.ends is None:
                vm.ends = self.now + timedelta(seconds=20)
                self.desired -= ShouldDecrementDesiredCapacity

        self._later(terminate)

    def create_or_update_tags(self, *, Tags: list[dict[str, Any]]) -> None:
        self.tags |= {tag["Key"]: tag["Value"] for tag in Tags}

    def delete_tags(self, *, Tags: list[dict[str, Any]]) -> None:
        for tag in Tags:
            self.tags.pop(tag["Key"], None)

    # Time.

    def pass_time(self, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now += timedelta(seconds=1)
            due = [do for at, do in self._waiting if at <= self.now]
            self._waiting = [(at, do) for at, do in self._waiting if at > self.now]
            for do in due:
                do()
            self._second()
        self._shown = self._view()

    def lose(self, vm: Vm) -> None:
        """Its agent falls silent, and its tasks answer no more."""
        vm.connected = False
        self.tasks = [task for task in self.tasks if task.on != vm.id]

    def healthy(self) -> int:
        return sum(one.healthy <= self.now and one.stops is None for one in self.tasks)

    @property
    def alive(self) -> list[Vm]:
        return [vm for vm in self.vms if vm.ends is None]

    def zones(self) -> Counter[str]:
        return Counter(vm.zone for vm in self.alive)

    def _later(self, do: Any) -> None:
        self._waiting.append((self.now + self.slow, do))

    def _second(self) -> None:
        self.vms = [vm for vm in self.vms if vm.ends is None or vm.ends > self.now]
        alive = self.alive
        if len(alive) < self.desired:
            if self.refusal:
                text = "Launching a new EC2 instance"
                self.activities = [Activity("a", "Failed", text, self.refusal, self.now)]
            else:
                self._launch(self.instead or self.machine, self.now, self.now + self.start)
        there = {vm.id for vm in alive}
        self.tasks = [
            one
            for one in self.tasks
            if one.on in there and (one.stops is None or one.stops > self.now)
        ]
        self._place(self.now + timedelta(seconds=15))
        self._drain()
        self.fewest = min(self.fewest, self.healthy())

    def _launch(self, machine: Machine, at: datetime, joins: datetime) -> None:
        self._count += 1
        counts = self.zones()
        first = next(self._ties, "a")
        zone = min("ab", key=lambda zone: (counts[zone], zone != first))
        self.vms.append(Vm(f"i-{self._count}", zone, machine, at, joins))
        text = f"Launching a new EC2 instance: i-{self._count}"
        self.activities.insert(0, Activity(f"a{self._count}", "Successful", text, time=at))

    def _ready(self) -> list[Vm]:
        joined = [vm for vm in self.vms if self.joins or vm.launched < START]
        return [
            vm
            for vm in joined
            if vm.joins <= self.now and not vm.draining and vm.ends is None and vm.connected
        ]

    def _place(self, healthy: datetime) -> None:
        """As many as the maximum percent lets start, where there is room, the emptiest first."""
        going = {vm.id for vm in self.vms if vm.draining}
        most = self.wanted * self.maximum_percent // 100
        while True:
            staying = [one for one in self.tasks if one.on not in going and one.stops is None]
            live = [one for one in self.tasks if one.stops is None]
            if len(staying) >= self.wanted or len(live) >= most:
                return
            load = Counter(one.on for one in self.tasks)
            room = [vm for vm in self._ready() if load[vm.id] < WHOLE_CPU // CPU]
            if not room:
                return
            self._count += 1
            vm = min(room, key=lambda vm: (load[vm.id], vm.id))
            self.tasks.append(Running(f"t{self._count}", vm.id, healthy))

    def _drain(self) -> None:
        """Stop what runs on an instance that drains, down to the minimum percent."""
        fewest = math.ceil(self.wanted * self.minimum_percent / 100)
        going = {vm.id for vm in self.vms if vm.draining}
        for one in self.tasks:
            if one.on in going and one.stops is None:
                pending = one.healthy > self.now
                if pending or self.healthy() > fewest:
                    one.stops = self.now + timedelta(seconds=10)

    # The view.

    def _view(self) -> Snapshot:
        parameters = {"AmiId": self.machine.image}
        return Snapshot(
            self.now,
            NAMES,
            service=self._service(),
            tasks=self._tasks(),
            task_definitions=DEFINITIONS,
            targets=tuple(
                Target(f"{one.on}:{n}", self._target(one)) for n, one in enumerate(self._present())
            ),
            instances=self._instances(),
            group=self._group(),
            stacks={"ecs": stack("ecs", "UPDATE_COMPLETE", parameters=parameters)},
        )

    def _service(self) -> Service:
        running = sum(one.stops is None and one.healthy <= self.now for one in self.tasks)
        pending = sum(one.stops is None for one in self.tasks) - running
        settled = running == self.wanted and not pending
        one = deployment(
            "d1",
            OLD,
            desired=self.wanted,
            running=running,
            pending=pending,
            state="COMPLETED" if settled else "IN_PROGRESS",
        )
        return replace(
            service(one, desired=self.wanted),
            minimum_percent=self.minimum_percent,
            maximum_percent=self.maximum_percent,
        )

    def _tasks(self) -> tuple[Task, ...]:
        arns = {vm.id: vm.arn for vm in self.vms}
        return tuple(
            Task(one.id, "RUNNING", OLD, "d1", instance=arns[one.on]) for one in self._present()
        )

    def _present(self) -> list[Running]:
        there = {vm.id for vm in self.vms}
        return [one for one in self.tasks if one.on in there]

    def _instances(self) -> tuple[ContainerInstance, ...]:
        load = Counter(one.on for one in self.tasks)
        return tuple(
            ContainerInstance(
                vm.arn,
                vm.id,
                "DRAINING" if vm.draining else "ACTIVE",
                vm.connected,
                WHOLE_CPU - CPU * load[vm.id],
                WHOLE_MEMORY - MEMORY * load[vm.id],
                whole_cpu=WHOLE_CPU,
                whole_memory=WHOLE_MEMORY,
                zone=vm.zone,
                image=vm.machine.image,
                type=vm.machine.type,
                machine=vm.machine.hash,
                running=load[vm.id],
                joined=vm.joins,
            )
            for vm in self.vms
            if vm.joins <= self.now and (self.joins or vm.launched < START)
        )

    def _group(self) -> Group:
        members = tuple(
            GroupInstance(vm.id, vm.zone, "Terminating:Wait" if vm.ends else "InService")
            for vm in self.vms
        )
        return Group(
            "web",
            0,
            self.maximum,
            self.desired,
            members,
            tuple(self.activities[:20]),
            dict(self.tags),
        )

    def _target(self, one: Running) -> str:
        if one.stops is not None:
            return "draining"
        return "healthy" if one.healthy <= self.now else "initial"
