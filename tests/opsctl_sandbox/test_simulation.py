"""One clock for simulated and wall time, at a speed that may change."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.process.home import Sandbox
from opsctl_sandbox.simulation import Simulation
from tests.opsctl_sandbox.clients import post

BEGAN = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def wall() -> Iterator[list[datetime]]:
    """Turn the clock by changing its only item."""
    yield [BEGAN]


def test_another_speed_changes_what_comes_and_not_what_was(wall: list[datetime]) -> None:
    simulation = Simulation(Engine(), speed=60.0, clock=lambda: wall[0])
    wall[0] += timedelta(seconds=10)
    simulation.run_at(600.0)
    wall[0] += timedelta(seconds=1)

    assert simulation.now() == 1200.0
    assert simulation.wall(300.0) == BEGAN + timedelta(seconds=5)
    assert simulation.wall(1200.0) == BEGAN + timedelta(seconds=11)


def test_a_clock_does_not_stand_still_or_run_back(wall: list[datetime]) -> None:
    simulation = Simulation(Engine(), speed=60.0, clock=lambda: wall[0])
    for speed in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="not a speed"):
            simulation.run_at(speed)


def test_time_goes_on_when_the_clock_of_the_machine_is_set_back(wall: list[datetime]) -> None:
    simulation = Simulation(Engine(), speed=60.0, clock=lambda: wall[0])
    wall[0] += timedelta(seconds=10)
    assert simulation.now() == 600.0
    wall[0] -= timedelta(hours=1)
    assert simulation.now() == 600.0
    wall[0] += timedelta(seconds=1)
    assert simulation.now() == 660.0
    assert simulation.wall(660.0) == wall[0]


def test_the_speed_is_changed_over_http(sandbox: Sandbox) -> None:
    assert post(sandbox, "clock", {"speed": 60})["speed"] == 60.0
