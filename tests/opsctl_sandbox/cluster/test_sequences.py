"""Whatever is done to a service and its instances, in whatever order: the promises hold after each
step, and in the end, when nothing is broken any more, as many tasks are well as were asked for."""

from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from opsctl_sandbox.cluster import instances, placement, services, start
from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.failures import Failure, Kind
from opsctl_sandbox.cluster.values import Service, Task
from tests.opsctl_sandbox.cluster.test_engine import HOUR, cluster, roll, well

PICK = st.integers(0, 100)
FAILURES: tuple[Kind, ...] = (
    "image-missing",
    "wrong-architecture",
    "secret-missing",
    "port-taken",
    "crash-at-start",
    "out-of-memory",
    "targets-timeout",
    "targets-refused",
    "targets-status",
    "launch-refused",
    "instance-never-joins",
    "agent-disconnected",
    "signal-missing",
)
PERCENTS = [(100, 200), (50, 100), (0, 100), (100, 125), (75, 150)]


class Sequences(RuleBasedStateMachine):
    engine: Engine
    service: Service

    @initialize(
        seed=st.integers(0, 2**32),
        desired=st.integers(1, 8),
        number=st.integers(1, 4),
        balanced=st.booleans(),
        host_port=st.sampled_from([0, 0, 80]),
    )
    def begin(self, seed: int, desired: int, number: int, balanced: bool, host_port: int) -> None:
        self.engine, self.service = cluster(
            seed, desired=desired, instances=number, balanced=balanced, host_port=host_port
        )
        self.wait(900.0)

    # -- what people and machines do -------------------------------------------------------------

    @rule(seconds=st.sampled_from([20.0, 120.0, 300.0, 900.0]))
    def wait(self, seconds: float) -> None:
        until = self.engine.world.now + seconds
        while self.engine.world.now < until:
            self.step(min(2.5, until - self.engine.world.now))

    def step(self, seconds: float) -> None:
        """A little time, in which the scheduler itself undercuts no minimum and no maximum."""
        before, spec = self.healthy(), self.service.spec
        living = len(self.living())
        bounds = services.bounds(spec.desired, spec.minimum_percent, spec.maximum_percent)
        self.engine.advance(self.engine.world.now + seconds)
        assert len(self.living()) <= max(bounds.upper, living)
        lost = [t for t in before if t not in self.healthy()]
        removed = [t for t in lost if t.stopped_reason.startswith("Scaling activity")]
        if removed and len(removed) == len(lost):
            assert len(self.healthy()) >= min(len(before), bounds.lower)

    def healthy(self) -> list[Task]:
        every = services.all_tasks(self.engine.world, self.service)
        return [t for t in every if services.healthy(self.engine.world, t)]

    def living(self) -> list[Task]:
        every = services.all_tasks(self.engine.world, self.service)
        return [t for t in every if t.desired == "RUNNING"]

    @rule(seconds=st.sampled_from([0.0, 300.0]))
    def release(self, seconds: float) -> None:
        roll(self.engine, self.service)
        self.wait(seconds)

    @rule(desired=st.integers(0, 8))
    def scale(self, desired: int) -> None:
        self.engine.update_service(replace(self.service.spec, desired=desired))

    @rule(percents=st.sampled_from(PERCENTS), force=st.booleans())
    def configure(self, percents: tuple[int, int], force: bool) -> None:
        low, high = percents
        spec = replace(self.service.spec, minimum_percent=low, maximum_percent=high)
        self.engine.update_service(spec, force=force)

    @precondition(lambda self: self.service.primary.rollout == "IN_PROGRESS")
    @rule()
    def stop_deployment(self) -> None:
        self.engine.stop_deployment("c", "svc")

    @rule(pick=PICK)
    def stop_task(self, pick: int) -> None:
        every = list(self.engine.world.tasks)
        if every:
            self.engine.stop_task(every[pick % len(every)], "by hand")

    @rule(pick=PICK, what=st.sampled_from(["drain", "undrain", "lose", "cut", "mend"]))
    def handle_instance(self, pick: int, what: str) -> None:
        every = list(self.engine.world.instances)
        if not every:
            return
        chosen = every[pick % len(every)]
        if what == "lose":
            self.engine.terminate_instance(chosen)
        elif what in ("cut", "mend"):
            world = self.engine.world
            start.connect_agent(world, world.instances[chosen], what == "mend")
        else:
            self.engine.drain_instance(chosen, what == "drain")

    @rule(number=st.integers(0, 5))
    def scale_group(self, number: int) -> None:
        spec = self.engine.world.groups["asg"].spec
        self.engine.update_group(replace(spec, desired=number))

    @rule(
        kinds=st.lists(st.sampled_from(FAILURES), max_size=2), times=st.sampled_from([1, 4, None])
    )
    def fail(self, kinds: list[Kind], times: int | None) -> None:
        self.engine.plan_failures(Failure(kind, times=times) for kind in kinds)

    # -- what always holds -----------------------------------------------------------------------

    @invariant()
    def no_instance_holds_more_than_it_has(self) -> None:
        world = self.engine.world
        for instance in world.instances.values():
            held = placement.occupants(world, instance.id)
            left = placement.room(world, instance)
            ports = [port for task in held for port in task.host_ports]
            assert left.cpu >= 0 and left.memory >= 0 and len(ports) == len(set(ports))
            assert not held or instance.state in ("pending", "running")

    @invariant()
    def deployments_are_one_primary_and_those_on_their_way_out(self) -> None:
        first, *rest = self.service.deployments
        assert first.status == "PRIMARY" and {d.status for d in rest} <= {"ACTIVE"}
        known = {d.id for d in self.service.deployments}
        assert {t.deployment for t in self.living()} <= known
        assert len(self.service.events) <= 100

    @invariant()
    def targets_belong_to_tasks_that_run_or_drain(self) -> None:
        world = self.engine.world
        for target in world.targets.values():
            task = world.tasks.get(target.task)
            ended = task is None or task.status == "STOPPED"
            assert target.state == "draining" or not ended

    def teardown(self) -> None:
        """Mend everything and give room: the service comes to what was asked for."""
        engine, world = self.engine, self.engine.world
        engine.plan_failures(())
        for instance in list(world.instances.values()):
            start.connect_agent(engine.world, instance, True)
            engine.drain_instance(instance.id, False)
            if not instance.joined:
                engine.terminate_instance(instance.id)
        engine.advance(world.now + HOUR)
        engine.update_group(replace(world.groups["asg"].spec, desired=10, maximum=10))
        spec = replace(self.service.spec, desired=5, minimum_percent=50, maximum_percent=200)
        engine.update_service(spec)
        roll(engine, self.service)
        engine.advance(world.now + 3 * HOUR)
        assert len(instances.of_group(world, "asg")) == 10
        assert well(engine, self.service) == 5
        assert self.service.primary.rollout == "COMPLETED"
        assert len(self.service.deployments) == 1


TestSequences = Sequences.TestCase
TestSequences.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
