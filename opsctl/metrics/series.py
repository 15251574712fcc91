"""A metric over a window of time, as aligned points. A gap is None, never 0. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from opsctl.errors import ConfigError
from opsctl.metrics.catalogue import Query

UNSETTLED = timedelta(minutes=2)
_PERIODS = (60, 300, 900, 3600, 21_600, 86_400)
_MOST_POINTS = 180
_LARGEST = 2.0**360  # the largest value that CloudWatch accepts
# CloudWatch keeps one-minute data for 15 days and five-minute data for 63 days; older data has
# longer periods.
_LEAST = ((timedelta(days=63), 3600), (timedelta(days=15), 300), (timedelta(), 60))


class Timed(Protocol):
    @property
    def at(self) -> datetime: ...


Event = TypeVar("Event", bound=Timed)


@dataclass(frozen=True, slots=True)
class Window:
    """`start` is inclusive, `end` exclusive; both are multiples of the period for GetMetricData."""

    start: datetime
    end: datetime
    period: int

    def __len__(self) -> int:
        return int((self.end - self.start).total_seconds()) // self.period

    def index(self, moment: datetime) -> int:
        return int((moment - self.start).total_seconds()) // self.period

    def time(self, index: int) -> datetime:
        return self.start + timedelta(seconds=index * self.period)

    def inside(self, happened: Iterable[Event]) -> Iterator[tuple[Event, float]]:
        """Yield events inside the window, each with its position from 0 to 1."""
        length = (self.end - self.start).total_seconds()
        for one in happened:
            if self.start <= one.at < self.end:
                yield one, (one.at - self.start).total_seconds() / length


@dataclass(frozen=True, slots=True)
class Series:
    query: Query
    window: Window
    points: Sequence[float | None]
    status: str = "Complete"  # or CloudWatch's PartialData, InternalError, Forbidden

    @property
    def newest(self) -> int | None:
        """The index of the newest point that is not a gap."""
        return next(
            (i for i in range(len(self.points) - 1, -1, -1) if self.points[i] is not None), None
        )

    @property
    def failed(self) -> bool:
        """Whether CloudWatch did not return the points, so that a gap says nothing."""
        return self.status in ("InternalError", "Forbidden")

    def age(self, now: datetime) -> timedelta | None:
        """Return how long ago the newest point's period ended."""
        return None if self.newest is None else now - self.window.time(self.newest + 1)

    def settled(self, now: datetime) -> bool:
        """Return whether the newest point is final: late samples change a value for two minutes."""
        age = self.age(now)
        return age is not None and age >= UNSETTLED

    @property
    def scaled(self) -> Sequence[float | None]:
        """The points, with sums and sample counts per minute, whatever the period."""
        if self.query.metric.statistic not in ("Sum", "SampleCount"):
            return self.points
        minutes = self.window.period / 60
        return [None if point is None else point / minutes for point in self.points]


def window(since: datetime, now: datetime, period: int | None = None) -> Window:
    """Return the window from `since` to the last complete period.

    The period is the shortest that fits a screen, unless given.
    """
    if since >= now:
        raise ConfigError("`--since` does not lie in the past")
    length = (now - since).total_seconds()
    least = next(least for age, least in _LEAST if now - since > age)
    if period is None:
        fitting = (p for p in _PERIODS if p >= least and length / p <= _MOST_POINTS)
        period = next(fitting, _PERIODS[-1])
    elif period < least:
        raise ConfigError(
            f"CloudWatch keeps no {period} s points that long",
            hint=f"--period {least}s, or a later --since",
        )
    if length < period:
        raise ConfigError(f"`--since` is shorter than one period of {period} s")
    return Window(_floor(since, period), _floor(now, period), period)


def align(times: Sequence[datetime], values: Sequence[float], over: Window) -> list[float | None]:
    """Return the points at their places in the window, in any order. Missing ones are None.

    So are values that are too large or not finite: CloudWatch accepts none, and they cannot be
    drawn.
    """
    points: list[float | None] = [None] * len(over)
    for moment, value in sorted(zip(times, map(float, values), strict=True)):
        index = over.index(moment)
        if 0 <= index < len(points) and abs(value) <= _LARGEST:
            points[index] = value
    return points


def _floor(moment: datetime, period: int) -> datetime:
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp(seconds - seconds % period, moment.tzinfo)
