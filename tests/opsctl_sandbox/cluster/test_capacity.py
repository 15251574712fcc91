"""Managed scaling of a capacity provider: as many instances as the tasks need, and no task lost."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from opsctl_sandbox.cluster import instances, services
from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.values import GroupSpec, Service, ServiceSpec
from tests.opsctl_sandbox.cluster.test_engine import HOUR, QUICK, container, well

ZONES = ("us-east-1a", "us-east-1b")


def provided(seed: int, desired: int, *, present: int, maximum: int) -> tuple[Engine, Service]:
    """Instances of four tasks each, behind a managed provider."""
    engine = Engine(seed)
    definition = engine.register({"family": "web", "containerDefinitions": [container()]})
    engine.create_group(GroupSpec("asg", "c", present, 0, maximum, ZONES, instance_type="t3.large"))
    engine.create_provider("cp", "asg", managed=True, target=100, draining=True, document={})
    strategy = [{"capacityProvider": "cp", "weight": 1}]
    engine.world.clusters["c"] = {"defaultCapacityProviderStrategy": strategy}
    return engine, engine.create_service(ServiceSpec("svc", "c", definition.arn, desired))


@QUICK
@given(
    seed=st.integers(0, 2**32),
    desired=st.integers(1, 24),
    present=st.integers(0, 3),
    maximum=st.integers(3, 5),
)
def test_instances_come_for_tasks_without_a_place_up_to_the_maximum(
    seed: int, desired: int, present: int, maximum: int
) -> None:
    engine, service = provided(seed, desired, present=present, maximum=maximum)
    while engine.world.now < HOUR:
        engine.advance(engine.world.now + 20)
        assert len(instances.of_group(engine.world, "asg")) <= maximum
    assert well(engine, service) == min(desired, maximum * 4)
    assert engine.world.groups["asg"].desired >= -(-min(desired, maximum * 4) // 4)


@QUICK
@given(seed=st.integers(0, 2**32), left=st.integers(0, 8))
def test_empty_instances_go_after_a_quarter_of_an_hour_and_take_no_task_along(
    seed: int, left: int
) -> None:
    engine, service = provided(seed, 12, present=3, maximum=5)
    engine.advance(HOUR)
    engine.update_service(replace(service.spec, desired=left))
    engine.advance(HOUR + 600)
    assert engine.world.groups["asg"].desired == 3
    engine.advance(2 * HOUR)

    used = {t.instance for t in services.all_tasks(engine.world, service) if t.desired == "RUNNING"}
    assert engine.world.groups["asg"].desired == len(used)
    assert well(engine, service) == left
    ended = {t.stop_code for t in services.all_tasks(engine.world, service) if t.stop_code}
    assert ended <= {services.INITIATED}


def test_a_group_without_managed_scaling_stays_as_it_is() -> None:
    engine, service = provided(1, 24, present=1, maximum=5)
    engine.world.providers["cp"].managed = False
    engine.advance(HOUR)
    assert engine.world.groups["asg"].desired == 1 and well(engine, service) == 4
