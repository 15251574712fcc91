"""The simulation's promises, whatever the sizes, percents, seeds and failures."""

from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsctl_sandbox.cluster import deployments, placement, services
from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.failures import Failure
from opsctl_sandbox.cluster.values import GroupSpec, LoadBalancer, Service, ServiceSpec

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
HOUR = 3600.0


def container(host_port: int = 0, cpu: int = 512) -> dict[str, object]:
    mapping = {"containerPort": 8082, "hostPort": host_port}
    return {
        "name": "caddy",
        "image": "repo:1",
        "cpu": cpu,
        "memory": 400,
        "portMappings": [mapping],
    }


def cluster(
    seed: int = 1,
    *failures: Failure,
    desired: int = 8,
    instances: int = 4,
    kind: str = "t3.large",
    host_port: int = 0,
    minimum: int = 100,
    maximum: int = 200,
    balanced: bool = True,
) -> tuple[Engine, Service]:
    engine = Engine(seed, failures=failures)
    engine.world.clusters["c"] = {}
    definition = engine.register({"family": "web", "containerDefinitions": [container(host_port)]})
    zones = ("us-east-1a", "us-east-1b")
    engine.create_group(GroupSpec("asg", "c", instances, 0, 10, zones, instance_type=kind))
    spec = ServiceSpec("svc", "c", definition.arn, desired, minimum, maximum)
    balancers = (LoadBalancer("tg", "caddy", 8082, deregistration_delay=30.0),)
    spec = replace(spec, breaker=True, rollback=True, load_balancers=balancers if balanced else ())
    return engine, engine.create_service(spec)


def roll(engine: Engine, service: Service) -> None:
    document = engine.world.definitions[service.spec.task_definition].document
    engine.update_service(replace(service.spec, task_definition=engine.register(document).arn))


def well(engine: Engine, service: Service) -> int:
    everything = services.all_tasks(engine.world, service)
    return sum(services.healthy(engine.world, t) for t in everything)


def watch(engine: Engine, service: Service, until: float, minimum: int | None = None) -> None:
    spec = service.spec
    limit = services.bounds(spec.desired, spec.minimum_percent, spec.maximum_percent)
    while engine.world.now < until:
        engine.advance(engine.world.now + 2.5)
        living = [t for t in services.all_tasks(engine.world, service) if t.desired == "RUNNING"]
        assert len(living) <= max(limit.upper, 0)
        if minimum is not None:
            assert well(engine, service) >= minimum
        for instance in engine.world.instances.values():
            left = placement.room(engine.world, instance)
            assert left.cpu >= 0 and left.memory >= 0
            held = [p for t in placement.occupants(engine.world, instance.id) for p in t.host_ports]
            assert len(held) == len(set(held))


@QUICK
@given(
    seed=st.integers(0, 2**32),
    desired=st.integers(1, 10),
    minimum=st.sampled_from([0, 50, 75, 100]),
    maximum=st.sampled_from([100, 125, 150, 200]),
    instances=st.integers(2, 5),
    host_port=st.sampled_from([0, 80]),
)
def test_a_rollout_stays_between_the_minimum_and_the_maximum_and_inside_every_instance(
    seed: int, desired: int, minimum: int, maximum: int, instances: int, host_port: int
) -> None:
    engine, service = cluster(
        seed,
        desired=desired,
        instances=instances,
        minimum=minimum,
        maximum=maximum,
        host_port=host_port,
    )
    watch(engine, service, 1200.0)
    before = well(engine, service)
    lower = services.bounds(desired, minimum, maximum).lower
    roll(engine, service)
    watch(engine, service, 1200.0 + HOUR / 2, min(before, lower))


@QUICK
@given(seed=st.integers(0, 2**32), victims=st.integers(1, 8), balanced=st.booleans())
def test_every_stopped_service_task_is_replaced_when_there_is_room(
    seed: int, victims: int, balanced: bool
) -> None:
    engine, service = cluster(seed, balanced=balanced)
    engine.advance(900.0)
    assert well(engine, service) == 8
    for task in services.all_tasks(engine.world, service)[:victims]:
        engine.stop_task(task.arn, "maintenance")
    engine.advance(1800.0)
    assert well(engine, service) == 8
    stopped = [t for t in services.all_tasks(engine.world, service) if t.status == "STOPPED"]
    assert {(t.stop_code, t.stopped_reason) for t in stopped} == {("UserInitiated", "maintenance")}


@QUICK
@given(seed=st.integers(0, 2**32), fails=st.sampled_from(["crash-at-start", "image-missing"]))
def test_the_same_seed_and_calls_give_the_same_history(seed: int, fails: str) -> None:
    def history() -> list[str]:
        engine, service = cluster(seed, Failure(fails, match="web:2"))  # type: ignore[arg-type]
        engine.advance(900.0)
        roll(engine, service)
        engine.advance(1500.0)
        events = [f"{e.at} {e.id} {e.message}" for e in service.events]
        return (
            events
            + [repr(t) for t in engine.world.tasks.values()]
            + list(map(repr, engine.intents()))
        )

    assert history() == history()


@QUICK
@given(desired=st.integers(1, 12))
def test_the_breaker_trips_exactly_at_its_threshold_and_rolls_back(desired: int) -> None:
    engine, service = cluster(
        3, Failure("image-missing", match="web:2"), desired=desired, instances=6, maximum=200
    )
    engine.advance(1200.0)
    good = service.primary
    roll(engine, service)
    bad = service.primary
    seen = 0
    while bad.rollout == "IN_PROGRESS":
        seen = bad.consecutive_failures
        engine.advance(engine.world.now + 0.5)
        assert engine.world.now < 4 * HOUR
    threshold = deployments.threshold(service.spec)
    assert seen < threshold <= bad.consecutive_failures
    assert bad.rollout_reason == "ECS deployment circuit breaker: tasks failed to start."
    engine.advance(engine.world.now + HOUR)
    assert service.primary is good and good.rollout == "COMPLETED"
    assert well(engine, service) == desired


def wants(desired: int, kind: str = "BOUNDED_PERCENT", value: int = 50) -> ServiceSpec:
    return ServiceSpec("s", "c", "d", desired, threshold=(kind, value))


def test_another_threshold_is_a_count_or_a_share_with_or_without_bounds() -> None:
    assert deployments.threshold(wants(100, "COUNT", 1)) == 1
    assert deployments.threshold(wants(4, "BOUNDED_PERCENT", 25)) == 3
    assert deployments.threshold(wants(4, "UNBOUNDED_PERCENT", 25)) == 1
    assert deployments.threshold(wants(1000, "UNBOUNDED_PERCENT", 50)) == 500


def test_the_threshold_is_half_the_desired_count_from_three_to_two_hundred() -> None:
    assert [deployments.threshold(wants(n)) for n in (1, 6, 7, 8, 399, 400, 1000)] == [
        3,
        3,
        4,
        4,
        200,
        200,
        200,
    ]


def test_an_event_is_not_repeated_for_six_hours_and_a_hundred_are_kept() -> None:
    engine, service = cluster(1, instances=1, kind="t3.small", balanced=False)
    engine.advance(5.9 * HOUR)
    blocked = "insufficient CPU units available"
    assert sum(blocked in e.message for e in service.events) == 1
    engine.advance(6.2 * HOUR)
    assert sum(blocked in e.message for e in service.events) == 2
    for _ in range(150):
        for task in services.all_tasks(engine.world, service):
            if task.status == "RUNNING":
                engine.stop_task(task.arn)
        engine.advance(engine.world.now + 60)
    assert len(service.events) == 100
    assert [e.at for e in service.events] == sorted((e.at for e in service.events), reverse=True)


def test_tasks_spread_over_zones_then_instances() -> None:
    engine, service = cluster(instances=4, desired=0)
    engine.advance(300.0)
    engine.update_service(replace(service.spec, desired=8))
    engine.advance(900.0)
    living = services.all_tasks(engine.world, service)
    zones = Counter(engine.world.instances[t.instance].zone for t in living)
    assert set(zones.values()) == {4}
    assert set(Counter(t.instance for t in living).values()) == {2}


def test_a_stopped_task_is_forgotten_after_an_hour() -> None:
    engine, service = cluster(balanced=False)
    engine.advance(300.0)
    victim = services.all_tasks(engine.world, service)[0]
    engine.stop_task(victim.arn)
    engine.advance(300.0 + HOUR)
    assert victim.arn in engine.world.tasks
    engine.advance(300.0 + HOUR + 60)
    assert victim.arn not in engine.world.tasks


def test_no_extra_task_fits_so_a_full_cluster_at_a_hundred_percent_never_rolls() -> None:
    engine, service = cluster(desired=8, instances=4, kind="t2.micro")
    # 4 instances of 1024 units hold 8 tasks of 512, and not one more.
    engine.advance(1200.0)
    assert well(engine, service) == 8
    roll(engine, service)
    engine.advance(1200.0 + 3 * HOUR)
    assert len(service.deployments) == 2 and service.primary.rollout == "IN_PROGRESS"
    assert well(engine, service) == 8


def test_real_tasks_wait_for_the_outside() -> None:
    engine = Engine(1, real_tasks=True)
    engine.world.clusters["c"] = {}
    definition = engine.register({"family": "web", "containerDefinitions": [container()]})
    engine.create_group(GroupSpec("asg", "c", 1, 0, 1, ("us-east-1a",)))
    task = None
    engine.advance(300.0)
    task = engine.run_task("c", definition.arn, overrides={})
    assert not isinstance(task, str)
    engine.advance(HOUR)
    seen = [str(task.status)]
    engine.task_started(task.arn, {8082: 40001})
    seen.append(str(task.status))
    assert task.containers[0].host_ports == ((8082, 40001),)
    engine.task_exited(task.arn, 3)
    engine.advance(HOUR + 60)
    seen.append(str(task.status))
    assert seen == ["ACTIVATING", "RUNNING", "STOPPED"]
    assert task.containers[0].exit_code == 3
    assert [type(i).__name__ for i in engine.intents() if i.__class__.__name__ != "WriteLog"] == [
        "StartTask"
    ]


def test_a_target_that_is_deregistered_by_hand_is_not_registered_again() -> None:
    engine, _ = cluster(desired=2)
    engine.advance(HOUR)
    target = next(iter(engine.world.targets.values()))
    engine.deregister_target("tg", target.instance, target.port)
    assert target.state == "draining"
    engine.advance(2 * HOUR)
    assert [one.state for one in engine.world.targets.values()] == ["healthy"]
    assert engine.world.tasks[target.task].status == "RUNNING"
