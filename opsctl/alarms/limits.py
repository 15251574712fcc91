"""Compare metrics with alarms: which limit a row has, and what the rules say of it now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from opsctl.alarms import points
from opsctl.alarms.evaluation import State
from opsctl.alarms.watched import Watched
from opsctl.metrics.catalogue import Query
from opsctl.metrics.series import Series

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient

# group of metrics -> namespace of its alarms
_NAMESPACES: Mapping[str, str] = {
    "cluster": "AWS/ECS",
    "service": "AWS/ECS",
    "lb": "AWS/NetworkELB",
    "cache": "AWS/ElastiCache",
    "logs": "AWS/Logs",
    "asg": "AWS/EC2",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A row's limit. `state` is the live alarm's, or '' when the alarm does not exist."""

    comparison: str
    threshold: float
    state: str
    alarm: str


@dataclass(frozen=True, slots=True)
class Checked:
    """`state` is None when CloudWatch did not return the data points.

    `known` is False when there is not a single point, so that only the rule for gaps decided.
    """

    watched: Watched
    state: State | None
    known: bool = True


def limits(series: Sequence[Series], alarms: Sequence[Watched]) -> dict[int, Limit]:
    """Return index of the series -> limit, for series that an alarm watches."""
    known = {_key(one.query): one for one in alarms if one.query is not None}
    rows = {}
    for index, one in enumerate(series):
        watched = known.get(_key(one.query))
        if watched is not None:
            alarm, live = watched.alarm, watched.state
            state = live.state if live else ""
            rows[index] = Limit(alarm.comparison, alarm.threshold, state, alarm.name)
    return rows


def of_groups(alarms: Sequence[Watched], groups: Sequence[str]) -> list[Watched]:
    """Return the alarms that watch one of these groups of metrics."""
    namespaces = {_NAMESPACES[group] for group in groups}
    return [one for one in alarms if one.alarm.namespace in namespaces]


def check(
    cloudwatch: "CloudWatchClient", alarms: Sequence[Watched], now: datetime
) -> list[Checked]:
    """Apply the rules to the newest data points, whether or not the alarms exist in CloudWatch."""
    checked = []
    for one, series in points.newest(cloudwatch, alarms, now):
        state = one.rule.state(series.points, "INSUFFICIENT_DATA")
        known = any(point is not None for point in one.rule.recent(series.points, one.rule.range))
        checked.append(Checked(one, None if series.failed else state, known))
    return checked


def health(checked: Sequence[Checked]) -> tuple[str, str]:
    """Return (`healthy`, `degraded` or `unknown`, why)."""
    rings = [one for one in checked if one.state == "ALARM"]
    if rings:
        reasons = "; ".join(f"{one.watched.alarm.name}: {one.watched.alarm.tells}" for one in rings)
        return "degraded", reasons
    failed = [one.watched.alarm.name for one in checked if one.state is None]
    if failed:
        return "unknown", f"not readable: {', '.join(failed)}"
    known = sum(one.known for one in checked)
    if not known:
        return "unknown", "no metric has data"
    without = f"; {len(checked) - known} without data" if known < len(checked) else ""
    return "healthy", f"0 of {len(checked)} limits crossed{without}"


def _key(query: Query) -> tuple[str, str, str, frozenset[tuple[str, str]]]:
    metric = query.metric
    pairs = frozenset(query.dimensions.items())
    return (metric.namespace, metric.name, metric.statistic, pairs)
