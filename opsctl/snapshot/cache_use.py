"""Read from CloudWatch, in one call, how full and how busy the cache is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

_OVER = timedelta(minutes=15)
_METRICS = {"memory": "DatabaseMemoryUsagePercentage", "connections": "CurrConnections"}


@dataclass(frozen=True, slots=True)
class CacheUse:
    """The newest data points: `memory` in percent. None when CloudWatch has no data."""

    memory: float | None = None
    connections: float | None = None


def read(cloudwatch: "CloudWatchClient", node: str, now: datetime) -> CacheUse:
    """Read the use of one cache cluster; `node` is its id."""
    queries: list[MetricDataQueryTypeDef] = [
        {
            "Id": id,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/ElastiCache",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "CacheClusterId", "Value": node}],
                },
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        for id, metric in _METRICS.items()
    ]
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=now - _OVER, EndTime=now, ScanBy="TimestampDescending"
    )
    newest = {
        one.get("Id", ""): one["Values"][0]
        for one in answer["MetricDataResults"]
        if one.get("Values")
    }
    return CacheUse(newest.get("memory"), newest.get("connections"))
