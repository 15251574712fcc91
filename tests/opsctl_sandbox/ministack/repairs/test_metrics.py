"""CloudWatch metrics: what ministack gets wrong, still, and what the sandbox answers instead."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.opsctl_sandbox.clients import Connect

NOW = datetime.now(UTC).replace(second=0, microsecond=0)


@pytest.fixture
def namespace(connect: Connect, unique: str) -> str:
    """Two points, a minute apart: the older is 1, the newer 2."""
    data = [
        {"MetricName": "m", "Value": value, "Timestamp": NOW - timedelta(minutes=age)}
        for value, age in ((1.0, 2), (2.0, 1))
    ]
    connect("cloudwatch").put_metric_data(Namespace=unique, MetricData=data)
    return unique


def result(cloudwatch: Any, namespace: str, **more: Any) -> dict[str, Any]:
    metric = {"Metric": {"Namespace": namespace, "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "q", "MetricStat": metric}],
        StartTime=NOW - timedelta(minutes=9),
        EndTime=NOW,
        **more,
    )
    [only] = answer["MetricDataResults"]
    return dict(only)


def values(cloudwatch: Any, namespace: str, **more: Any) -> list[float]:
    return list(result(cloudwatch, namespace, **more)["Values"])


def test_the_newest_point_comes_first_unless_scan_by_says_otherwise(
    connect: Connect, namespace: str
) -> None:
    cloudwatch = connect("cloudwatch")

    assert values(cloudwatch, namespace) == [2.0, 1.0]
    assert values(cloudwatch, namespace, ScanBy="TimestampAscending") == [1.0, 2.0]


def test_ministack_alone_gives_the_oldest_point_first(plain: Connect, namespace: str) -> None:
    assert values(plain("cloudwatch"), namespace) == [1.0, 2.0]


def test_a_metric_without_a_label_is_called_by_its_name(
    connect: Connect, plain: Connect, namespace: str
) -> None:
    assert result(plain("cloudwatch"), namespace)["Label"] == "q"
    assert result(connect("cloudwatch"), namespace)["Label"] == "m"
