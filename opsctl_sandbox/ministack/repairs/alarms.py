"""Evaluate alarms as CloudWatch does: once a minute, by periods and dimensions, with missing data.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

import operator
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ministack.services import cloudwatch

from opsctl_sandbox.ministack.repairs.mutes import Mutes

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_MINUTE = 60
_DISPATCH = cloudwatch._dispatch_alarm_actions
_RECORD = cloudwatch._record_history
_OK, _ALARM, _UNKNOWN = "OK", "ALARM", "INSUFFICIENT_DATA"
_ALL_MISSING = {"breaching": _ALARM, "notBreaching": _OK, "missing": _UNKNOWN}


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
    """Return the state from the values of the periods, oldest first; None is missing data."""
    missing = str(alarm.get("TreatMissingData") or "missing")
    if all(value is None for value in values):
        return _ALL_MISSING.get(missing, str(alarm["StateValue"]))
    compare, threshold = _COMPARE[alarm["ComparisonOperator"]], float(alarm["Threshold"])
    breaching = sum(
        compare(value, threshold) if value is not None else missing == "breaching"
        for value in values
    )
    needed = int(alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods") or 1)
    return _ALARM if breaching >= needed else _OK


def _evaluate(alarm: dict[str, Any]) -> None:
    now, fresh = time.time(), "_judged" not in alarm and alarm["StateValue"] == _UNKNOWN
    last = max(alarm.get("StateUpdatedTimestamp", 0), alarm.get("_judged", 0))
    if not alarm.get("MetricName") or alarm.get("ComparisonOperator") not in _COMPARE:
        return
    if now - last < _MINUTE and not fresh:
        # A state set by SetAlarmState lasts until the next evaluation.
        return
    alarm["_judged"] = now
    values = _values(alarm, now)
    before, after = str(alarm["StateValue"]), judge(alarm, values)
    if before == after:
        return
    reason = f"Threshold Crossed: {values} {alarm['ComparisonOperator']} {alarm['Threshold']}"
    alarm |= {"StateValue": after, "StateReason": reason, "StateUpdatedTimestamp": int(now)}
    cloudwatch._record_history(alarm["AlarmName"], before, after, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, after, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def _values(alarm: Mapping[str, Any], now: float) -> list[float | None]:
    """Return the alarm's statistic for each of its last full periods.

    The newest period is left out while it has no data.
    """
    period, count = int(alarm.get("Period") or _MINUTE), int(alarm.get("EvaluationPeriods") or 1)
    points, end = _points(alarm), now // period * period
    periods = [
        [one for one in points if start <= one["Timestamp"] < start + period]
        for start in (end - period * number for number in range(count + 1, 0, -1))
    ]
    chosen = periods[1:] if periods[-1] else periods[:-1]
    name = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    return [
        cloudwatch._stat_value(cloudwatch._calc_stats(one), name, one) if one else None
        for one in chosen
    ]


def _points(alarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    dimensions = {one["Name"]: one["Value"] for one in alarm.get("Dimensions") or ()}
    key = (alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions))
    return list(cloudwatch._metrics.get(key) or ())
