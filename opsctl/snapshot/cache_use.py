"""Read from CloudWatch how full and how busy the cache is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

_OVER = timedelta(minutes=15)
_MEMORY, _CONNECTIONS = "DatabaseMemoryUsagePercentage", "CurrConnections"
_QUERIES = 500  # the maximum of one GetMetricData call


@dataclass(frozen=True, slots=True)
class CacheUse:
    """The newest data points: `memory` in percent. None when CloudWatch has no data.

    Of several nodes these are the highest: one full shard refuses its writes. `fullest` is the node
    with that `memory`.
    """

    memory: float | None = None
    connections: float | None = None
    fullest: str = ""


def read(cloudwatch: "CloudWatchClient", nodes: Sequence[str], now: datetime) -> CacheUse:
    """Read the use of these nodes, which are the ids of their cache clusters."""
    wanted = [(metric, node) for node in nodes for metric in (_MEMORY, _CONNECTIONS)]
    newest: dict[tuple[str, str], float] = {}
    for first in range(0, len(wanted), _QUERIES):
        some = wanted[first : first + _QUERIES]
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=[_query(f"m{at}", *one) for at, one in enumerate(some)],
            StartTime=now - _OVER,
            EndTime=now,
            ScanBy="TimestampDescending",
        )
        for result in answer["MetricDataResults"]:
            if result.get("Values"):
                newest[some[int(result["Id"][1:])]] = result["Values"][0]
    memory = [(value, node) for (metric, node), value in newest.items() if metric == _MEMORY]
    connections = [value for (metric, _), value in newest.items() if metric == _CONNECTIONS]
    used, fullest = max(memory, default=(None, ""))
    return CacheUse(used, max(connections, default=None), fullest)


def _query(id: str, metric: str, node: str) -> "MetricDataQueryTypeDef":
    return {
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
