"""A rolling update of instances: all replaced, never below the minimum in service."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from opsctl_sandbox.cluster import instances
from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.failures import Failure, Kind
from opsctl_sandbox.cluster.replacement import Policy, Replacement, in_service
from opsctl_sandbox.cluster.stacks import rolling
from opsctl_sandbox.cluster.values import GroupSpec
from tests.opsctl_sandbox.cluster.test_engine import HOUR, QUICK

ZONES = ("us-east-1a", "us-east-1b")


def changed(seed: int, number: int, maximum: int, *failures: Failure) -> Engine:
    """A settled group whose next instances are launched from something else."""
    engine = Engine(seed)
    spec = GroupSpec("asg", "c", number, 0, maximum, ZONES, launch="lt:1")
    engine.create_group(spec)
    engine.advance(300.0)
    engine.update_group(replace(spec, launch="lt:2"))
    engine.plan_failures(failures)
    return engine


def serving(engine: Engine, made: Replacement) -> int:
    return sum(in_service(i, made) for i in instances.of_group(engine.world, "asg"))


def finish(engine: Engine, made: Replacement, least: int = 0) -> None:
    while not made.done:
        assert engine.world.now < 12 * HOUR
        engine.advance(engine.world.now + 2.5)
        assert serving(engine, made) >= least


@QUICK
@given(
    seed=st.integers(0, 2**32),
    number=st.integers(1, 5),
    spare=st.integers(0, 2),
    minimum=st.integers(0, 6),
    batch=st.integers(1, 3),
    signals=st.booleans(),
)
def test_all_are_replaced_and_never_fewer_than_the_minimum_serve(
    seed: int, number: int, spare: int, minimum: int, batch: int, signals: bool
) -> None:
    engine = changed(seed, number, number + spare)
    made = engine.replace_instances("asg", Policy(minimum, batch, 600.0, signals))
    finish(engine, made, min(minimum, number))
    engine.advance(engine.world.now + 600)
    group = engine.world.groups["asg"]
    left = instances.of_group(engine.world, "asg")

    assert group.desired == len(left) == number and not group.replacing
    if minimum < number + spare:
        assert made.reason == "" and {i.launch for i in left} == {"lt:2"}
    else:
        assert "no room" in made.reason and {i.launch for i in left} == {"lt:1"}


@QUICK
@given(
    seed=st.integers(0, 2**32),
    fails=st.sampled_from(["signal-missing", "signal-failure", "launch-refused"]),
)
def test_an_instance_that_does_not_come_ends_it_with_the_minimum_still_there(
    seed: int, fails: Kind
) -> None:
    engine = changed(seed, 3, 4, Failure(fails))
    made = engine.replace_instances("asg", Policy(2, 1, 300.0, True))
    finish(engine, made, least=2)
    assert "signal(s)" in made.reason
    assert made.messages[0].startswith(
        "Rolling update initiated. Terminating 3 obsolete instance(s)"
    )


def test_what_was_launched_from_the_same_needs_no_replacement() -> None:
    engine = changed(1, 2, 2)
    engine.update_group(replace(engine.world.groups["asg"].spec, launch="lt:1"))
    made = engine.replace_instances("asg", Policy())
    assert made.done and made.messages == []


def test_the_policy_is_read_with_cloudformations_defaults() -> None:
    policy = {"MinInstancesInService": "1", "WaitOnResourceSignals": True}
    assert rolling({"AutoScalingRollingUpdate": policy}) == Policy(1, 1, 300.0, True)
    assert rolling({"AutoScalingRollingUpdate": {"MaxBatchSize": 2}}) == Policy(0, 2, 0.0, False)
    assert rolling({"AutoScalingScheduledAction": {}}) is rolling(None) is None
