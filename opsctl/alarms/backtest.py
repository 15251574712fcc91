"""Apply the alarms' rules to past data: how often would each have gone off?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from opsctl.alarms import points
from opsctl.alarms.evaluation import Rule, play
from opsctl.alarms.watched import Watched
from opsctl.errors import ConfigError
from opsctl.metrics.series import UNSETTLED, Series

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient

LONGEST = timedelta(days=15)  # CloudWatch keeps one-minute data for so long


@dataclass(frozen=True, slots=True)
class Rang:
    """A period in ALARM. `end` is None when it would still be in ALARM."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Played:
    """The result for one alarm. `points` is the number of data points, of `expected`.

    `status` is CloudWatch's word: InternalError and Forbidden mean that nothing is known.
    """

    watched: Watched
    rang: tuple[Rang, ...]
    points: int
    expected: int
    until: datetime
    status: str = "Complete"
    failed: bool = False

    @property
    def longest(self) -> timedelta:
        return max(map(self.length, self.rang), default=timedelta())

    @property
    def altogether(self) -> timedelta:
        return sum(map(self.length, self.rang), timedelta())

    def length(self, rang: Rang) -> timedelta:
        return (rang.end or self.until) - rang.start


def backtest(
    cloudwatch: "CloudWatchClient", alarms: Sequence[Watched], since: datetime, now: datetime
) -> list[Played]:
    """Return results in the order of the alarms, without those whose metric has no name yet."""
    if now - since > LONGEST:
        raise ConfigError(
            "CloudWatch keeps one-minute data, which the backtest needs, for 15 days",
            hint="opsctl alarms backtest --since 15d",
        )
    if now - since <= UNSETTLED:
        raise ConfigError(
            "`--since` is too short: the newest two minutes may still change",
            hint="opsctl alarms backtest --since 1h",
        )
    # The newest minutes may still change, and a gap among them would count as bad.
    read = points.since(cloudwatch, alarms, since, now - UNSETTLED)
    return [_played(one, series) for one, series in read]


def rings(rule: Rule, series: Series) -> tuple[Rang, ...]:
    """Return when the rule would be in ALARM. A data point is known when its period ends."""
    over = series.window
    return tuple(
        Rang(over.time(one.first + 1), None if one.end is None else over.time(one.end + 1))
        for one in play(rule, series.points)
    )


def _played(one: Watched, series: Series) -> Played:
    known = sum(point is not None for point in series.points)
    rang = () if series.failed else rings(one.rule, series)
    over = series.window
    return Played(one, rang, known, len(over), over.end, series.status, series.failed)
