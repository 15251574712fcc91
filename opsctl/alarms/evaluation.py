"""Compute an alarm's state from its data points, as CloudWatch documents it. Pure.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from opsctl.alarms.catalogue import Comparison, Missing

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Point: TypeAlias = float | None
_COMPARE: Mapping[Comparison, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
}
# CloudWatch retrieves more points than it evaluates, in case some are missing. AWS gives the number
# only for its example: 5 for 3.
_MORE = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of an alarm. `points` of the last `periods` must breach.

    A period has `every` minutes. Points come one for each minute, over the period that ends then.
    """

    comparison: Comparison
    threshold: float
    periods: int
    points: int
    missing: Missing
    every: int = 1

    @property
    def range(self) -> int:
        return self.periods + _MORE

    def breaches(self, value: float) -> bool:
        return _COMPARE[self.comparison](value, self.threshold)

    def recent(self, newest: Sequence[Point], periods: int) -> list[Point]:
        """Return one point for each of so many periods, oldest first; the newest ends now."""
        return list(newest[:: -self.every][:periods][::-1])

    def state(self, newest: Sequence[Point], before: State) -> State:
        """Return the state from the points of the evaluation range and the state before."""
        recent = self.recent(newest, self.range)
        real = [self.breaches(point) for point in recent if point is not None]
        filled = self.periods - len(real)
        if filled <= 0:
            return "ALARM" if sum(real[-self.periods :]) >= self.points else "OK"
        breaching = sum(real)
        if self.missing in ("breaching", "notBreaching"):
            breaching += filled if self.missing == "breaching" else 0
            return "ALARM" if breaching >= self.points else "OK"
        if breaching >= self.points:
            return "ALARM"
        if breaching < len(real):
            return "OK"
        if self.missing == "ignore":
            return before
        if not real:
            return "INSUFFICIENT_DATA"
        # Every known point breaches: enough for ALARM once the oldest is old enough.
        return "ALARM" if _age_of_oldest(recent) >= self.points else before


@dataclass(frozen=True, slots=True)
class Ringing:
    """In ALARM from minute `first` until before `end`; with `end` None, it still is."""

    first: int
    end: int | None


def play(rule: Rule, points: Sequence[Point]) -> Iterator[Ringing]:
    """Yield when an alarm would have been in ALARM over these points, one a minute, oldest first.

    It starts as OK. What lies before the first known point does not count as bad.
    """
    state: State = "OK"
    first: int | None = None
    begin = next((index for index, point in enumerate(points) if point is not None), len(points))
    span = rule.range * rule.every
    for index in range(begin + rule.periods * rule.every - 1, len(points)):
        state = rule.state(points[max(0, index + 1 - span) : index + 1], state)
        if state == "ALARM" and first is None:
            first = index
        elif state != "ALARM" and first is not None:
            yield Ringing(first, index)
            first = None
    if first is not None:
        yield Ringing(first, None)


def _age_of_oldest(points: Sequence[Point]) -> int:
    """Return the age of the oldest known point, in periods; the newest period is 1."""
    return next(len(points) - index for index, point in enumerate(points) if point is not None)
