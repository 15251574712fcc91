"""Alarms: their state by their periods, and what ministack alone makes of them."""

import time
from typing import Any

import pytest

from opsctl_sandbox.ministack.repairs import alarms
from tests.opsctl_sandbox.clients import Connect

ABOVE = {
    "StateValue": "OK",
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 80,
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
}


@pytest.mark.parametrize(
    ("values", "missing", "expected"),
    [
        ([90, 50, 90], "missing", "ALARM"),
        ([90, 90, 90, 50, 50], "missing", "OK"),
        ([80, 80, 80], "missing", "OK"),
        ([None, None, None], "missing", "INSUFFICIENT_DATA"),
        ([None, None, None], "breaching", "ALARM"),
        ([None, None, None], "notBreaching", "OK"),
        ([None, None, None], "ignore", "OK"),
        ([None, 90, None], "breaching", "ALARM"),
        ([None, 90, None], "notBreaching", "OK"),
    ],
)
def test_so_many_of_the_last_periods_make_an_alarm(
    values: list[float | None], missing: str, expected: str
) -> None:
    assert alarms.judge({**ABOVE, "TreatMissingData": missing}, values) == expected


def test_a_state_has_the_reason_that_cloudwatch_gives() -> None:
    points = [(60.0 * n, value) for n, value in enumerate([50.0, 90.0, None, 95.5, 80.0])]
    assert alarms.reason(ABOVE, points, "ALARM") == (
        "Threshold Crossed: 2 out of the last 3 datapoints [95.5 (01/01/70 00:03:00), "
        "90.0 (01/01/70 00:01:00)] were greater than the threshold (80.0) "
        "(minimum 2 datapoints for OK -> ALARM transition)."
    )
    assert alarms.reason(ABOVE, points[-1:], "OK") == (
        "Threshold Crossed: 1 out of the last 1 datapoints [80.0 (01/01/70 00:04:00)] "
        "was not greater than the threshold (80.0) "
        "(minimum 2 datapoints for ALARM -> OK transition)."
    )
    nothing = [(0.0, None)] * 5
    assert alarms.reason(ABOVE, nothing, "INSUFFICIENT_DATA") == (
        "Insufficient Data: 3 datapoints were unknown."
    )
    assert alarms.reason(ABOVE, nothing, "ALARM") == (
        "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints "
        "were treated as [Breaching]."
    )


def test_a_period_of_five_minutes_slides_with_each_minute(connect: Connect, unique: str) -> None:
    cloudwatch = connect("cloudwatch")
    at = time.time() // 60 * 60 - 60  # mostly in the middle of five minutes by the clock
    datum: Any = {"MetricName": "Load", "Timestamp": at, "Value": 100.0}
    cloudwatch.put_metric_data(Namespace=unique, MetricData=[datum])
    cloudwatch.put_metric_alarm(
        AlarmName=unique,
        Namespace=unique,
        MetricName="Load",
        Statistic="Maximum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=80,
        ComparisonOperator="GreaterThanThreshold",
    )
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[unique])["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM"


def test_only_the_series_of_the_alarms_own_dimensions_counts(connect: Connect, unique: str) -> None:
    cloudwatch = connect("cloudwatch")
    at = time.time() // 60 * 60 - 60
    for zone, value in (("a", 10.0), ("b", 100.0)):
        datum: dict[str, Any] = {
            "MetricName": "Load",
            "Dimensions": [{"Name": "Zone", "Value": zone}],
            "Timestamp": at,
            "Value": value,
        }
        cloudwatch.put_metric_data(Namespace=unique, MetricData=[datum])
    for zone in "ab":
        cloudwatch.put_metric_alarm(
            AlarmName=f"{unique}-{zone}",
            Namespace=unique,
            MetricName="Load",
            Dimensions=[{"Name": "Zone", "Value": zone}],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=80,
            ComparisonOperator="GreaterThanThreshold",
        )
    found = cloudwatch.describe_alarms(AlarmNamePrefix=unique)["MetricAlarms"]
    states = {one["AlarmName"][-1]: one["StateValue"] for one in found}
    assert states == {"a": "OK", "b": "ALARM"}, "ministack alone: ALARM for both"
    history = cloudwatch.describe_alarm_history(AlarmName=f"{unique}-a")["AlarmHistoryItems"]
    assert [one["HistorySummary"] for one in history] == [
        "Alarm updated from INSUFFICIENT_DATA to OK"
    ], "ministack alone: that it was made, too"
