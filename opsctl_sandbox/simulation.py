"""The simulation as the server holds it: the pure engine, and the speed wall time drives it at.

The only place where simulated seconds and wall time meet: a simulated second lasts
`1 / speed` real ones, and the times of answers are wall times, so that they agree with logs.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.world import World


@dataclass(frozen=True, slots=True)
class Stretch:
    """From wall time `began`, which was simulated second `at`, the clock runs at `speed`."""

    began: datetime
    at: float
    speed: float


class Simulation:
    def __init__(self, engine: Engine, *, speed: float, clock: Callable[[], datetime]) -> None:
        """`clock` gives aware wall time; the engine's now is now."""
        self.engine = engine
        self._clock = clock
        self._stretches = [Stretch(clock(), engine.world.now, speed)]

    @property
    def speed(self) -> float:
        return self._stretches[-1].speed

    def run_at(self, speed: float) -> None:
        """Another speed from now on; what sleeps already wakes at the old one."""
        if not speed > 0:
            raise ValueError(f"not a speed: {speed}; 1 is as fast as AWS")
        now = self._clock()
        self._stretches.append(Stretch(now, self._at(now), speed))

    def now(self) -> float:
        """The simulated second that wall time has reached."""
        return self._at(self._clock())

    def _at(self, wall: datetime) -> float:
        last = self._stretches[-1]
        return last.at + (wall - last.began).total_seconds() * last.speed

    def world(self) -> World:
        """The world brought up to now: what an answer is made from."""
        self.engine.advance(self.now())
        return self.engine.world

    def wall(self, at: float) -> datetime:
        """The wall time of a simulated second, at the speed of its day."""
        held = [stretch for stretch in self._stretches if stretch.at <= at]
        then = (held or self._stretches[:1])[-1]
        return then.began + timedelta(seconds=(at - then.at) / then.speed)

    async def sleep(self, seconds: float) -> None:
        """Sleep for simulated seconds."""
        await asyncio.sleep(seconds / self.speed)


def real_time() -> datetime:
    return datetime.now(UTC)
