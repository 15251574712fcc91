"""What CloudWatch says of the system's alarms."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient


@dataclass(frozen=True, slots=True)
class AlarmState:
    """`state` is CloudWatch's: OK, ALARM, INSUFFICIENT_DATA; `reason` its own sentence."""

    name: str
    state: str
    reason: str = ""
    since: datetime | None = None
    metric: str = ""
    threshold: float | None = None
    comparison: str = ""
    actions: bool = True

    @property
    def rings(self) -> bool:
        return self.state == "ALARM"


def read(cloudwatch: "CloudWatchClient", prefix: str) -> tuple[AlarmState, ...]:
    """Every metric alarm whose name begins with `prefix`."""
    states: list[AlarmState] = []
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"]
    )
    for page in pages:
        states += [
            AlarmState(
                name=alarm.get("AlarmName", ""),
                state=alarm.get("StateValue", ""),
                reason=alarm.get("StateReason", ""),
                since=alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp"),
                metric=alarm.get("MetricName", ""),
                threshold=alarm.get("Threshold"),
                comparison=alarm.get("ComparisonOperator", ""),
                actions=alarm.get("ActionsEnabled", True),
            )
            for alarm in page["MetricAlarms"]
        ]
    return tuple(states)
