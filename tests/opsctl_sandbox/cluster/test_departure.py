"""How a group gives up an instance: lifecycle hooks, managed draining, zones that are uneven."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl_sandbox.cluster import instances, services
from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.values import GroupSpec, Hook, Instance, Service
from tests.opsctl_sandbox.cluster.test_engine import QUICK, cluster, well

ZONES = ("us-east-1a", "us-east-1b")


def group_of(*, number: int = 2, maximum: int = 4) -> Engine:
    engine = Engine(1)
    engine.create_group(GroupSpec("asg", "c", number, 0, maximum, ZONES))
    engine.advance(300.0)
    return engine


def first(engine: Engine) -> Instance:
    return instances.of_group(engine.world, "asg")[0]


def test_without_a_hook_an_instance_is_terminated_at_once_and_replaced() -> None:
    engine = group_of()
    victim = first(engine)
    engine.end_instance(victim.id)

    assert victim.state == "shutting-down"
    assert len(instances.of_group(engine.world, "asg")) == 2


def test_with_a_hook_it_waits_until_the_hook_is_completed() -> None:
    engine = group_of()
    engine.put_hook("asg", Hook("mine", 600.0))
    victim = first(engine)
    engine.end_instance(victim.id)
    engine.advance(engine.world.now + 500)
    assert victim.state == "running" and victim not in instances.of_group(engine.world, "asg")
    [activity] = [a for a in engine.world.groups["asg"].activities if a.end is None]
    assert activity.status == "MidTerminatingLifecycleAction"

    engine.complete_hook(victim.id, "mine")
    engine.advance(engine.world.now + 60)
    assert str(victim.state) == "terminated"
    assert (activity.status, activity.progress) == ("Successful", 100)


def test_a_hook_that_nobody_completes_gives_up_after_its_time() -> None:
    engine = group_of()
    engine.put_hook("asg", Hook("mine", 600.0))
    victim = first(engine)
    engine.end_instance(victim.id)
    engine.advance(engine.world.now + 700)
    assert str(victim.state) == "terminated"


def test_ec2_terminates_without_asking_any_hook() -> None:
    engine = group_of()
    engine.put_hook("asg", Hook("mine", 600.0))
    victim = first(engine)
    engine.terminate_instance(victim.id)
    assert victim.state == "shutting-down"


def served(seed: int, *, managed: bool) -> tuple[Engine, Service]:
    """A service on three instances that has all its tasks."""
    engine, service = cluster(seed, desired=6, instances=3, balanced=True)
    if managed:
        engine.create_provider("cp", "asg", managed=False, target=100, draining=True, document={})
    engine.advance(900.0)
    assert well(engine, service) == 6
    return engine, service


def fewest(engine: Engine, service: Service, seconds: float) -> int:
    """The fewest healthy tasks at any moment."""
    least = 6
    until = engine.world.now + seconds
    while engine.world.now < until:
        engine.advance(engine.world.now + 2.5)
        least = min(least, well(engine, service))
    return least


@QUICK
@given(seed=st.integers(0, 2**32))
def test_managed_draining_moves_the_tasks_before_the_instance_goes(seed: int) -> None:
    engine, service = served(seed, managed=True)
    victim = first(engine)
    engine.end_instance(victim.id)
    assert fewest(engine, service, 1800.0) == 6
    assert victim.state == "terminated" and well(engine, service) == 6


def test_without_it_the_tasks_are_lost_with_the_instance() -> None:
    engine, service = served(1, managed=False)
    engine.end_instance(first(engine).id)
    assert fewest(engine, service, 1800.0) <= 4
    assert well(engine, service) == 6


@QUICK
@given(seed=st.integers(0, 2**32), percents=st.sampled_from([(100, 200), (50, 100), (50, 200)]))
def test_a_drained_instance_loses_its_tasks_within_the_bounds_of_the_service(
    seed: int, percents: tuple[int, int]
) -> None:
    engine, service = served(seed, managed=False)
    minimum, maximum = percents
    engine.update_service(replace(service.spec, minimum_percent=minimum, maximum_percent=maximum))
    victim = first(engine)
    engine.drain_instance(victim.id)
    lower = services.bounds(6, minimum, maximum).lower
    assert fewest(engine, service, 1800.0) >= lower
    left = [t for t in services.all_tasks(engine.world, service) if t.instance == victim.id]
    assert all(t.status == "STOPPED" for t in left)
    assert victim.state == "running"


def zones(engine: Engine) -> Counter[str]:
    return Counter(i.zone for i in instances.of_group(engine.world, "asg"))


def test_a_zone_with_two_more_than_another_gives_one_away_after_a_new_one_runs() -> None:
    engine = group_of(number=4, maximum=4)
    for victim in [i for i in instances.of_group(engine.world, "asg") if i.zone == ZONES[0]]:
        engine.world.groups["asg"].desired -= 1
        engine.end_instance(victim.id)
    assert zones(engine) == {ZONES[1]: 2}
    most = 0
    for _ in range(200):
        engine.advance(engine.world.now + 2.5)
        most = max(most, sum(zones(engine).values()))
    assert most == 3
    assert zones(engine) == {ZONES[0]: 1, ZONES[1]: 1}
    causes = [a.cause for a in engine.world.groups["asg"].activities]
    assert any("balancing the group's zones" in cause for cause in causes)


@pytest.mark.parametrize("force", [True, False])
def test_deleting_a_group_waits_for_its_hooks_unless_forced(force: bool) -> None:
    engine = group_of()
    engine.put_hook("asg", Hook("mine", 600.0))
    engine.delete_group("asg", force=force)
    engine.advance(engine.world.now + 120)
    assert ("asg" in engine.world.groups) is not force
    engine.advance(engine.world.now + 700)
    assert "asg" not in engine.world.groups


def test_of_the_fullest_zone_what_an_earlier_template_launched_goes_first() -> None:
    engine = group_of(number=2, maximum=4)
    group = engine.world.groups["asg"]
    engine.update_group(replace(group.spec, launch="lt:2", desired=4))
    engine.advance(engine.world.now + 300)
    engine.update_group(replace(group.spec, launch="lt:2", desired=2))
    engine.advance(engine.world.now + 300)
    assert {i.launch for i in instances.of_group(engine.world, "asg")} == {"lt:2"}
