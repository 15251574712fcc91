"""The machine under the simulation: it drives the clock and does what the simulation wants: start
and stop tasks, check and route to targets, write log lines.
"""

import asyncio
import logging

from opsctl_sandbox.cluster import user_data
from opsctl_sandbox.cluster.intents import (
    DeregisterTarget,
    Intent,
    RegisterTarget,
    StartTask,
    StopTask,
    TargetHealthy,
    WriteLog,
)
from opsctl_sandbox.cluster.values import Instance
from opsctl_sandbox.host import journal, prober
from opsctl_sandbox.host.balancer import Address, Balancer, Key, Routes
from opsctl_sandbox.host.caches import Caches
from opsctl_sandbox.host.journal import Journal, Place
from opsctl_sandbox.host.meters import Meters, Traffic
from opsctl_sandbox.host.prober import Check
from opsctl_sandbox.host.runner import Launcher, Outcome, Runner
from opsctl_sandbox.host.stand_in import StandIn
from opsctl_sandbox.ministack import caches as cache_records
from opsctl_sandbox.ministack import load_balancers, records
from opsctl_sandbox.ministack.repairs import alarms
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.local_client import LocalClient

log = logging.getLogger(__name__)
_TICK = 0.05
_FLUSH_EVERY = 10  # ticks
_SAMPLE_EVERY = 60
# A real process starts in real time, however fast the clock runs and however busy the machine is.
_BOOT = 6.0  # wall seconds


class Host:
    def __init__(
        self,
        simulation: Simulation,
        inside: LocalClient,
        *,
        launcher: Launcher,
        limit: int,
        traffic: Traffic,
        caches: Caches | None,
        stand_in: StandIn | None = None,
    ) -> None:
        """With `stand_in` no task is real, and it answers for all of them."""
        self._simulation = simulation
        self._stand_in = stand_in
        self._engine = simulation.engine
        self.balancer = Balancer(Routes())
        self._journal = Journal(inside)
        self._caches = caches
        self._probes: dict[Key, asyncio.Task[None]] = {}
        outcome = Outcome(
            self._started, self._engine.task_exited, self._engine.task_refused, self._wrote
        )
        self._runner = Runner(launcher, limit=limit, outcome=outcome)
        self._meters = Meters(
            inside,
            self._engine.world,
            self._runner,
            traffic,
            self.balancer,
            load_balancers=load_balancers.names_by_target_group,
            cache_ports=cache_records.ports if caches else dict,
        )

    async def run(self) -> None:
        """Run for ever. Cancelling the task ends it and all tasks of the simulation."""
        sampling: asyncio.Task[None] | None = None
        try:
            if self._stand_in is not None:
                await self._stand_in.open()
            ticks = 0
            while True:
                self._simulation.world()
                for intent in self._engine.intents():
                    self._act(intent)
                ticks += 1
                self._engine.world.alarms = alarms.states()
                if ticks % _FLUSH_EVERY == 0:
                    await self._journal.flush()
                if ticks % _SAMPLE_EVERY == 0 and (sampling is None or sampling.done()):
                    # In a task of its own: an engine takes time to report what its containers use.
                    sampling = asyncio.create_task(self._sample())
                    if self._caches is not None:
                        self._caches.keep(set(cache_records.ports().values()))
                await asyncio.sleep(_TICK)
        finally:
            if sampling is not None:
                sampling.cancel()
            for probe in self._probes.values():
                probe.cancel()
            await self._runner.close()
            await self.balancer.close()
            if self._stand_in is not None:
                await self._stand_in.close()

    async def _sample(self) -> None:
        try:
            await self._meters.sample()
        except Exception:  # an unreadable metric must not stop the clock
            log.exception("metrics")

    def _act(self, intent: Intent) -> None:
        try:
            match intent:
                case StartTask():
                    self._runner.start(intent)
                case StopTask():
                    self._stop(intent)
                case RegisterTarget():
                    self._register(intent)
                case DeregisterTarget():
                    self._deregister(intent)
                case TargetHealthy():
                    self._judge(intent)
                case WriteLog():
                    self._write(intent)
        except Exception:  # one failed act must not stop the clock
            log.exception("%s", intent)

    def _started(self, task: str) -> None:
        self._simulation.world()
        self._engine.task_started(task)

    def _stop(self, intent: StopTask) -> None:
        self._runner.stop(intent.task, max(1.0, intent.timeout / self._simulation.speed))

    def _register(self, intent: RegisterTarget) -> None:
        address = self._address(intent)
        if address is None:
            return
        key = (intent.target_group, intent.instance, intent.port)
        self.balancer.routes.register(key, address)
        if self._stand_in is not None:
            return
        self._probes[key] = asyncio.ensure_future(
            prober.probe(
                lambda: self._address(intent),
                lambda: self._check(intent.target_group),
                prober.once_up(
                    lambda *result: self._engine.target_health(*key, *result), within=_BOOT
                ),
            )
        )

    def _check(self, target_group: str) -> Check:
        """Return the target group's check, with its times in wall seconds."""
        check, speed = load_balancers.health_check(target_group), self._simulation.speed
        # A real process answers in real time, however fast the clock runs.
        return Check(check.interval / speed, max(1.0, check.timeout / speed), check.path)

    def _address(self, intent: RegisterTarget) -> Address | None:
        """Return where the target's process really listens, found by its host port."""
        if self._stand_in is not None:
            return self._stand_in.address
        task = self._engine.world.tasks.get(intent.task)
        for container in task.containers if task else ():
            for inside, host in container.host_ports:
                if host == intent.port:
                    return self._runner.address(intent.task, inside)
        return None

    def _deregister(self, intent: DeregisterTarget) -> None:
        key = (intent.target_group, intent.instance, intent.port)
        self.balancer.routes.deregister(key)
        if probe := self._probes.pop(key, None):
            probe.cancel()

    def _judge(self, intent: TargetHealthy) -> None:
        key = (intent.target_group, intent.instance, intent.port)
        self.balancer.routes.judge(key, healthy=intent.healthy)

    def _wrote(self, task: str, line: str) -> None:
        self._journal.write(self._place(task), line)

    def _write(self, intent: WriteLog) -> None:
        place = self._place(intent.subject) if intent.source == "task" else None
        instance = self._engine.world.instances.get(intent.subject)
        if instance is not None:
            place = self._collected(instance, intent.source)
        for line in intent.lines:
            self._journal.write(place, line)

    def _collected(self, instance: Instance, source: str) -> Place | None:
        """Return where the instance's CloudWatch agent sends the lines of this source."""
        text = records.launch(records.group(instance.group) or {}).user_data
        return user_data.place(text, source, instance.id)

    def _place(self, arn: str) -> Place | None:
        task = self._engine.world.tasks.get(arn)
        container = task.definition.containers[0] if task else {}
        return journal.of_container(container, task.id) if task else None
