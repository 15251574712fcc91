"""Read what alarms evaluate: one point for each minute, over the period that ends with it.

CloudWatch evaluates once a minute, and its window slides: a period of five minutes may begin at any
minute. Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation-window.html
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from opsctl.alarms.evaluation import Point
from opsctl.alarms.watched import Watched
from opsctl.metrics.fetch import fetch
from opsctl.metrics.series import Series, window

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient

# An average of averages is none, so an alarm on an Average has a period of one minute.
_JOINED: Mapping[str, Callable[[Iterable[float]], float]] = {"Sum": sum, "Maximum": max}


def since(
    cloudwatch: "CloudWatchClient", alarms: Sequence[Watched], start: datetime, until: datetime
) -> list[tuple[Watched, Series]]:
    """Return the points of each alarm whose resource exists, in the order of the alarms."""
    queried = [(one, one.query) for one in alarms if one.query is not None]
    series = fetch(cloudwatch, [query for _, query in queried], window(start, until, 60))
    return [
        (one, replace(points, points=_by_periods(one, points.points)))
        for (one, _), points in zip(queried, series, strict=True)
    ]


def newest(
    cloudwatch: "CloudWatchClient", alarms: Sequence[Watched], now: datetime
) -> list[tuple[Watched, Series]]:
    """Return the points of the evaluation range, those that may still change included."""
    longest = max((one.rule.range * one.rule.every for one in alarms), default=0)
    return since(cloudwatch, alarms, now - timedelta(minutes=longest + 1), now)


def _by_periods(one: Watched, minutes: Sequence[Point]) -> list[Point]:
    every = one.rule.every
    if every == 1:
        return list(minutes)
    joined = _JOINED[one.alarm.statistic]
    ends = range(1, len(minutes) + 1)
    known = ([p for p in minutes[max(0, end - every) : end] if p is not None] for end in ends)
    return [joined(points) if points else None for points in known]
