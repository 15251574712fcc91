"""The simulation in the server: the pure engine, and the speed of its clock.

Only here simulated seconds and wall time meet: a simulated second lasts `1 / speed` real ones, and
answers contain wall times, so that they agree with logs.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.world import World


@dataclass(frozen=True, slots=True)
class Stretch:
    """From wall time `began`, which is simulated second `at`, the clock runs at `speed`."""

    began: datetime
    at: float
    speed: float


class Simulation:
    def __init__(self, engine: Engine, *, speed: float, clock: Callable[[], datetime]) -> None:
        """`clock` returns aware wall time. The engine's time now corresponds to it."""
        self.engine = engine
        self._clock = clock
        self._seen = clock()
        self._stretches = [Stretch(self._seen, engine.world.now, speed)]

    @property
    def speed(self) -> float:
        return self._stretches[-1].speed

    def run_at(self, speed: float) -> None:
        """Change the speed; sleepers still wake at the old one."""
        if not speed > 0:
            raise ValueError(f"not a speed: {speed}; 1 is as fast as AWS")
        now = self._wall()
        self._stretches.append(Stretch(now, self._at(now), speed))

    def now(self) -> float:
        """Return the simulated second for the present wall time."""
        return self._at(self._wall())

    def _wall(self) -> datetime:
        """Return the wall time. When the clock was set back, go on from the last second."""
        wall = self._clock()
        if wall < self._seen:
            self._stretches.append(Stretch(wall, self._at(self._seen), self.speed))
        self._seen = wall
        return wall

    def _at(self, wall: datetime) -> float:
        last = self._stretches[-1]
        return last.at + (wall - last.began).total_seconds() * last.speed

    def world(self) -> World:
        """Return the world, advanced to now."""
        self.engine.advance(self.now())
        return self.engine.world

    def wall(self, at: float) -> datetime:
        """Return the wall time of a simulated second, at the speed of that time."""
        held = [stretch for stretch in self._stretches if stretch.at <= at]
        then = (held or self._stretches[:1])[-1]
        return then.began + timedelta(seconds=(at - then.at) / then.speed)

    async def sleep(self, seconds: float) -> None:
        """Sleep for simulated seconds."""
        await asyncio.sleep(seconds / self.speed)


def real_time() -> datetime:
    return datetime.now(UTC)
