"""Evaluate alarms as CloudWatch does: once a minute, by periods and dimensions, with missing data.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html and
alarms-and-missing-data.html. An alarm on a metric math expression stays INSUFFICIENT_DATA.
"""

import operator
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ministack.services import cloudwatch

from opsctl_sandbox.ministack.repairs.mutes import Mutes

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_WORDS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_MINUTE = 60
_DISPATCH = cloudwatch._dispatch_alarm_actions
_RECORD = cloudwatch._record_history
_OK, _ALARM, _UNKNOWN = "OK", "ALARM", "INSUFFICIENT_DATA"
# CloudWatch retrieves more points than it evaluates. AWS gives the number for one example: 5 for 3.
_MORE = 2


def install(mutes: Mutes) -> None:
    """Replace ministack's evaluation.

    It mixes all series of a name, ignores mute rules, and takes the creation of an alarm for a
    change of its state.
    """
    assert callable(cloudwatch._evaluate_alarm)

    def evaluate(alarm: dict[str, Any]) -> None:
        mutes.release(alarm, _DISPATCH)
        _evaluate(alarm)

    def record(name: str, before: str, after: str, *more: Any, **named: Any) -> None:
        if before != after:
            _RECORD(name, before, after, *more, **named)

    cloudwatch._evaluate_alarm = evaluate
    cloudwatch._record_history = record
    cloudwatch._dispatch_alarm_actions = mutes.dispatching(_DISPATCH)


def states() -> dict[str, str]:
    """Return the state of every alarm, by name."""
    known = (*cloudwatch._alarms._data.items(), *cloudwatch._composite_alarms._data.items())
    return {str(scoped[-1]): str(alarm["StateValue"]) for scoped, alarm in known}


def judge(alarm: Mapping[str, Any], values: Sequence[float | None]) -> str:
    """Return the state from the values of the evaluation range, oldest first; None is missing."""
    periods = int(alarm.get("EvaluationPeriods") or 1)
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    compare, threshold = _COMPARE[alarm["ComparisonOperator"]], float(alarm["Threshold"])
    bad = [None if value is None else compare(value, threshold) for value in values]
    known = [one for one in bad if one is not None][-periods:]
    policy = str(alarm.get("TreatMissingData") or "missing")
    if policy == "breaching":
        known += [True] * (periods - len(known))
    if known.count(True) >= needed:
        return _ALARM
    if known.count(False) or policy == "notBreaching" or len(known) == periods:
        return _OK
    if not known and policy == "missing":
        return _UNKNOWN
    # Nothing but breaching points, and fewer than needed: ALARM once the first is old enough.
    age = len(bad) - bad.index(True) if known else 0
    return _ALARM if age >= needed and policy == "missing" else str(alarm["StateValue"])


def reason(
    alarm: Mapping[str, Any], points: Sequence[tuple[float, float | None]], after: str
) -> str:
    """Return CloudWatch's sentence for a new state. Points are the starts of periods and values.

    Its wording: https://github.com/aws/aws-sdk-java/issues/1723
    """
    periods = int(alarm.get("EvaluationPeriods") or 1)
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    rings, threshold = after == _ALARM, float(alarm["Threshold"])
    compare = _COMPARE[alarm["ComparisonOperator"]]
    known = [(start, value) for start, value in points if value is not None][-periods:]
    decisive = [one for one in reversed(known) if compare(one[1], threshold) == rings]
    if after == _UNKNOWN:
        return f"Insufficient Data: {_counted(periods)} unknown."
    if not decisive:
        missing = periods - len(known)
        return (
            f"Threshold Crossed: no datapoints were received for {missing} "
            f"period{'s' if missing > 1 else ''} and {missing} missing "
            f"{_counted(missing).partition(' ')[2]} treated as "
            f"[{'Breaching' if rings else 'NonBreaching'}]."
        )
    listed = ", ".join(
        f"{value} ({datetime.fromtimestamp(start, UTC):%d/%m/%y %H:%M:%S})"
        for start, value in decisive
    )
    least = needed if rings else periods - needed + 1
    change = "OK -> ALARM" if rings else "ALARM -> OK"
    return (
        f"Threshold Crossed: {len(decisive)} out of the last {len(known)} datapoints [{listed}] "
        f"{'was' if len(decisive) == 1 else 'were'} {'' if rings else 'not '}"
        f"{_WORDS[alarm['ComparisonOperator']]} the threshold ({threshold}) "
        f"(minimum {least} datapoint{'s' if least > 1 else ''} for {change} transition)."
    )


def _counted(points: int) -> str:
    return f"{points} datapoints were" if points > 1 else f"{points} datapoint was"


def _evaluate(alarm: dict[str, Any]) -> None:
    now, fresh = time.time(), "_judged" not in alarm and alarm["StateValue"] == _UNKNOWN
    last = max(alarm.get("StateUpdatedTimestamp", 0), alarm.get("_judged", 0))
    if not alarm.get("MetricName") or alarm.get("ComparisonOperator") not in _COMPARE:
        return
    if now - last < min(_MINUTE, _period(alarm)) and not fresh:
        # A state set by SetAlarmState lasts until the next evaluation.
        return
    alarm["_judged"] = now
    points = _recent(alarm, now)
    before, after = str(alarm["StateValue"]), judge(alarm, [value for _, value in points])
    if before == after:
        return
    why = reason(alarm, points, after)
    alarm |= {"StateValue": after, "StateReason": why, "StateUpdatedTimestamp": int(now)}
    cloudwatch._record_history(alarm["AlarmName"], before, after, why)
    cloudwatch._dispatch_alarm_actions(alarm, before, after, why)
    cloudwatch._evaluate_parent_alarms(alarm)


def _recent(alarm: Mapping[str, Any], now: float) -> list[tuple[float, float | None]]:
    """Return the start and the alarm's statistic of each full period of its evaluation range.

    The window slides: a period of five minutes may begin at any minute. The newest minute is left
    out while it has no data.
    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation-window.html
    """
    period, count = _period(alarm), int(alarm.get("EvaluationPeriods") or 1) + _MORE
    step = min(period, _MINUTE)
    points, end = _points(alarm), now // step * step
    if not any(end - step <= one["Timestamp"] < end for one in points):
        end -= step
    periods = [
        (start, [one for one in points if start <= one["Timestamp"] < start + period])
        for start in (end - period * number for number in range(count, 0, -1))
    ]
    name = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    return [
        (start, cloudwatch._stat_value(cloudwatch._calc_stats(one), name, one) if one else None)
        for start, one in periods
    ]


def _period(alarm: Mapping[str, Any]) -> int:
    return int(alarm.get("Period") or _MINUTE)


def _points(alarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    dimensions = {one["Name"]: one["Value"] for one in alarm.get("Dimensions") or ()}
    key = (alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions))
    return list(cloudwatch._metrics.get(key) or ())
