"""Application Auto Scaling: the desired count follows what the tasks use, within its bounds."""

from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.scaling import MINUTE
from opsctl_sandbox.cluster.values import ScalableTarget, Service, TrackingPolicy
from tests.opsctl_sandbox.cluster.test_engine import HOUR, cluster

CPU, MEMORY = "CPUUtilization", "MemoryUtilization"


def scaled(*metrics: str, minimum: int = 2, maximum: int = 12) -> tuple[Engine, Service]:
    """A steady service of eight tasks, each metric kept near half."""
    engine, service = cluster(3)
    engine.advance(HOUR)
    policies = {metric: TrackingPolicy(metric, 50.0) for metric in metrics}
    engine.scale_service(ScalableTarget("c", "svc", minimum, maximum, policies))
    return engine, service


def use(engine: Engine, minutes: float, **percent: float) -> None:
    for metric, value in percent.items():
        engine.world.utilization["c", "svc", metric] = value
    engine.advance(engine.world.now + minutes * MINUTE)


def test_three_minutes_above_the_target_scale_out_in_proportion() -> None:
    engine, service = scaled(CPU)
    use(engine, 2.5, CPUUtilization=70.0)
    assert service.spec.desired == 8
    use(engine, 1.0, CPUUtilization=70.0)
    assert service.spec.desired == 12, "70 of 50 percent: 11.2 tasks"


def test_the_maximum_and_the_minimum_hold() -> None:
    engine, service = scaled(CPU, minimum=6, maximum=9)
    use(engine, 4, CPUUtilization=500.0)
    assert service.spec.desired == 9
    use(engine, 60, CPUUtilization=1.0)
    assert service.spec.desired == 6


def test_registering_a_target_brings_the_count_within_its_bounds() -> None:
    _, service = scaled(minimum=2, maximum=6)
    assert service.spec.desired == 6
    _, service = scaled(minimum=9, maximum=12)
    assert service.spec.desired == 9


def test_a_quarter_of_an_hour_well_below_it_scales_in() -> None:
    engine, service = scaled(CPU)
    use(engine, 14.5, CPUUtilization=25.0)
    assert service.spec.desired == 8
    use(engine, 1.0, CPUUtilization=25.0)
    assert service.spec.desired == 4


def test_near_the_target_nothing_moves() -> None:
    engine, service = scaled(CPU)
    use(engine, 60, CPUUtilization=46.0)
    assert service.spec.desired == 8


def test_one_policy_scales_out_and_all_must_agree_to_scale_in() -> None:
    engine, service = scaled(CPU, MEMORY)
    use(engine, 60, CPUUtilization=10.0, MemoryUtilization=50.0)
    assert service.spec.desired == 8
    use(engine, 4, CPUUtilization=10.0, MemoryUtilization=75.0)
    assert service.spec.desired == 12


def test_without_a_metric_nothing_moves() -> None:
    engine, service = scaled(CPU)
    engine.advance(engine.world.now + HOUR)
    assert service.spec.desired == 8
