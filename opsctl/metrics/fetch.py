"""Read series from CloudWatch, a whole screen in one GetMetricData call."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.metrics.catalogue import Query
from opsctl.metrics.series import Series, Window, align

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient

_QUERIES = 500  # the API's maximum per call
_POINTS = 100_800


def fetch(cloudwatch: "CloudWatchClient", queries: Sequence[Query], window: Window) -> list[Series]:
    """Return one series for each query, in the same order."""
    most = max(1, min(_QUERIES, _POINTS // max(1, len(window))))
    series: list[Series] = []
    for first in range(0, len(queries), most):
        series += _ask(cloudwatch, queries[first : first + most], window)
    return series


def _ask(
    cloudwatch: "CloudWatchClient", queries: Sequence[Query], window: Window
) -> Iterator[Series]:
    times: list[list[datetime]] = [[] for _ in queries]
    values: list[list[float]] = [[] for _ in queries]
    statuses = ["Complete"] * len(queries)
    more: dict[str, Any] = {}
    while True:
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=[
                _as_query(index, query, window) for index, query in enumerate(queries)
            ],
            StartTime=window.start,
            EndTime=window.end,
            ScanBy="TimestampAscending",  # not every server sorts, so `align` does
            **more,
        )
        with aws.understood("metrics"):
            for result in answer["MetricDataResults"]:
                index = int(result["Id"][1:])
                times[index] += result["Timestamps"]
                values[index] += result["Values"]
                statuses[index] = result.get("StatusCode", "Complete")
            if answer.get("NextToken", "") == more.get("NextToken"):
                raise ValueError("the same page again and again")
        if not answer.get("NextToken"):
            break
        more = {"NextToken": answer["NextToken"]}
    for query, when, what, status in zip(queries, times, values, statuses, strict=True):
        with aws.understood("metrics"):
            points = align(when, what, window)
        yield Series(query, window, points, status)


def _as_query(index: int, query: Query, window: Window) -> Any:
    return {
        "Id": f"m{index}",
        "MetricStat": {
            "Metric": {
                "Namespace": query.metric.namespace,
                "MetricName": query.metric.name,
                "Dimensions": [
                    {"Name": name, "Value": value} for name, value in query.dimensions.items()
                ],
            },
            "Period": window.period,
            "Stat": query.metric.statistic,
        },
    }
