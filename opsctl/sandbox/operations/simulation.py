"""The simulation as the server holds it: the pure engine, and the speed wall time drives it at.

The only place where simulated seconds and wall time meet: a simulated second lasts
`1 / speed` real ones, and the times of answers are wall times, so that they agree with logs.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from opsctl.sandbox.cluster.engine import Engine
from opsctl.sandbox.cluster.world import World


class Simulation:
    def __init__(self, engine: Engine, *, speed: float, clock: Callable[[], datetime]) -> None:
        """`clock` gives aware wall time; the engine's zero is now."""
        self.engine = engine
        self.speed = speed
        self._clock = clock
        self._zero = clock() - timedelta(seconds=engine.world.now / speed)

    def now(self) -> float:
        """The simulated second that wall time has reached."""
        return (self._clock() - self._zero).total_seconds() * self.speed

    def world(self) -> World:
        """The world brought up to now: what an answer is made from."""
        self.engine.advance(self.now())
        return self.engine.world

    def wall(self, at: float) -> datetime:
        """The wall time of a simulated second."""
        return self._zero + timedelta(seconds=at / self.speed)

    async def sleep(self, seconds: float) -> None:
        """Sleep for simulated seconds."""
        await asyncio.sleep(seconds / self.speed)


def real_time() -> datetime:
    return datetime.now(UTC)
