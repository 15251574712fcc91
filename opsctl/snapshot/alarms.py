"""Read the system's CloudWatch alarms: their settings, states and changes of state."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import AlarmHistoryItemTypeDef, MetricAlarmTypeDef


_SIDE_BY_SIDE = 4
_CLOSE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class AlarmState:
    """One metric alarm, in CloudWatch's words.

    `state` is OK, ALARM or INSUFFICIENT_DATA, and `reason` CloudWatch's sentence for it.
    `comparison` and `missing` are the API's values, such as GreaterThanThreshold, notBreaching.
    `actions` is False when CloudWatch takes no actions for this alarm. `to` and `to_ok` are the
    targets that are notified when it goes off and when it returns to OK.
    """

    name: str
    state: str
    reason: str = ""
    since: datetime | None = None
    metric: str = ""
    threshold: float | None = None
    comparison: str = ""
    actions: bool = True
    namespace: str = ""
    dimensions: tuple[tuple[str, str], ...] = ()
    statistic: str = ""
    period: int = 60
    periods: int = 1
    points: int = 1
    missing: str = "missing"
    description: str = ""
    to: tuple[str, ...] = ()
    to_ok: tuple[str, ...] = ()

    @property
    def rings(self) -> bool:
        return self.state == "ALARM"


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """One change of state of an alarm."""

    name: str
    time: datetime
    before: str
    after: str
    reason: str = ""


def read(cloudwatch: "CloudWatchClient", prefix: str) -> tuple[AlarmState, ...]:
    """Return every metric alarm whose name begins with `prefix`."""
    states: list[AlarmState] = []
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"]
    )
    for page in pages:
        states += map(_state, page["MetricAlarms"])
    return tuple(states)


@dataclass(frozen=True, slots=True)
class AlarmHistory:
    """The changes of one alarm from `begin` until it had the state that it has since `since`."""

    begin: datetime
    since: datetime
    changes: tuple[AlarmChange, ...]

    def holds(self, alarm: AlarmState, begin: datetime) -> bool:
        return self.begin <= begin and self.since == alarm.since


def changes(
    cloudwatch: "CloudWatchClient",
    alarms: Iterable[AlarmState],
    begin: datetime,
    known: dict[str, AlarmHistory],
) -> tuple[AlarmChange, ...]:
    """Return every change of state of these alarms since `begin`, oldest first.

    Reads the history of alarms that have changed since then, one by one, and what is not in
    `known`: the history of the whole account may be long, and CloudWatch throttles its readers.
    """
    changed = [one for one in alarms if one.since is None or one.since >= begin]
    new = [one for one in changed if one.name not in known or not known[one.name].holds(one, begin)]
    fresh: dict[str, tuple[AlarmChange, ...]] = {}
    for first in range(0, len(new), _SIDE_BY_SIDE):
        some = new[first : first + _SIDE_BY_SIDE]
        read = together([partial(_history, cloudwatch, one.name, begin) for one in some])
        for one, history in zip(some, read, strict=True):
            fresh[one.name] = history
            # The history shows a change a moment later than the alarm does.
            if one.since and any(change.time >= one.since - _CLOSE for change in history):
                known[one.name] = AlarmHistory(begin, one.since, history)
    every = (fresh[one.name] if one.name in fresh else known[one.name].changes for one in changed)
    recent = (change for history in every for change in history if change.time >= begin)
    return tuple(sorted(recent, key=lambda change: change.time))


def _history(cloudwatch: "CloudWatchClient", name: str, begin: datetime) -> tuple[AlarmChange, ...]:
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName=name, HistoryItemType="StateUpdate", StartDate=begin
    )
    return tuple(_change(item) for page in pages for item in page["AlarmHistoryItems"])


def _state(alarm: "MetricAlarmTypeDef") -> AlarmState:
    periods = alarm.get("EvaluationPeriods", 1)
    return AlarmState(
        name=alarm.get("AlarmName", ""),
        state=alarm.get("StateValue", ""),
        reason=alarm.get("StateReason", ""),
        since=alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp"),
        metric=alarm.get("MetricName", ""),
        threshold=alarm.get("Threshold"),
        comparison=alarm.get("ComparisonOperator", ""),
        actions=alarm.get("ActionsEnabled", True),
        namespace=alarm.get("Namespace", ""),
        dimensions=tuple(
            sorted((one["Name"], one["Value"]) for one in alarm.get("Dimensions", ()))
        ),
        statistic=alarm.get("Statistic", ""),
        period=alarm.get("Period", 60),
        periods=periods,
        points=alarm.get("DatapointsToAlarm", periods),
        missing=alarm.get("TreatMissingData", "missing"),
        description=alarm.get("AlarmDescription", ""),
        to=tuple(alarm.get("AlarmActions", ())),
        to_ok=tuple(alarm.get("OKActions", ())),
    )


def _change(item: "AlarmHistoryItemTypeDef") -> AlarmChange:
    # Source:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_AlarmHistoryItem.html
    data = _data(item.get("HistoryData", ""))
    before, after = data.get("oldState", {}), data.get("newState", {})
    return AlarmChange(
        name=item.get("AlarmName", ""),
        time=item["Timestamp"],
        before=str(before.get("stateValue", "")),
        after=str(after.get("stateValue", "")),
        reason=str(after.get("stateReason", "") or item.get("HistorySummary", "")),
    )


def _data(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    states = data if isinstance(data, dict) else {}
    return {name: state for name, state in states.items() if isinstance(state, dict)}
