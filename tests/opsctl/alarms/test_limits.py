from datetime import timedelta
from typing import Any, cast

import pytest

from opsctl.alarms import limits, watched
from opsctl.alarms.evaluation import State
from opsctl.alarms.limits import Checked
from opsctl.metrics.catalogue import CATALOGUE, Query
from opsctl.metrics.series import Series, window
from tests.opsctl.alarms.live import CONFIG, of, seen
from tests.opsctl.snapshots import START

ALARMS = watched.watched(seen(state="ALARM"), CONFIG)


def test_a_row_has_the_limit_of_the_alarm_that_watches_the_same() -> None:
    over = window(START - timedelta(hours=1), START)
    service = {"ClusterName": "web", "ServiceName": "web"}
    rows = [
        Series(Query(metric, service), over, [])
        for metric in CATALOGUE
        if metric.group == "service"
    ]
    limited = limits.limits(rows, ALARMS)
    assert [limited[index].alarm for index in sorted(limited)] == [
        "service-cpu",
        "service-memory",
        "running-tasks",
    ]
    assert limited[2].state == "ALARM"
    elsewhere = [Series(Query(rows[0].query.metric, {"ClusterName": "other"}), over, [])]
    assert limits.limits(elsewhere, ALARMS) == {}


class Answers:
    """The same value in every minute of each metric; None for no data."""

    def __init__(self, values: dict[str, float | None], status: str = "Complete") -> None:
        self.values, self.status = values, status

    def get_metric_data(self, **request: Any) -> Any:
        return {"MetricDataResults": [self._one(q, request) for q in request["MetricDataQueries"]]}

    def _one(self, query: Any, request: Any) -> Any:
        stat = query["MetricStat"]
        value = self.values.get(stat["Metric"]["MetricName"])
        length = (request["EndTime"] - request["StartTime"]).total_seconds()
        times = [
            request["StartTime"] + timedelta(seconds=n * stat["Period"])
            for n in range(int(length / stat["Period"]))
        ]
        values = [value] * len(times) if value is not None else []
        return {
            "Id": query["Id"], "Timestamps": times if values else [], "Values": values,
            "StatusCode": self.status,
        }  # fmt: skip


GOOD: dict[str, float | None] = {
    "CPUUtilization": 2.0,
    "HealthyHostCount": 2.0,
    "IncomingLogEvents": 5.0,
}


@pytest.mark.parametrize(
    ("answers", "health"),
    [
        (Answers(GOOD), "healthy"),
        (Answers({**GOOD, "HealthyHostCount": 1.0}), "degraded"),
        (Answers({**GOOD, "HealthyHostCount": None}), "degraded"),
        (Answers(GOOD, status="Forbidden"), "unknown"),
    ],
)
def test_a_check_says_healthy_degraded_or_unknown(answers: Answers, health: str) -> None:
    checked = limits.check(cast(Any, answers), ALARMS, START)
    judged, reason = limits.health(checked)
    assert judged == health, reason
    assert len(checked) == len(ALARMS)


@pytest.mark.parametrize("state", ["INSUFFICIENT_DATA", "OK"])
def test_without_any_data_nothing_is_known(state: State) -> None:
    checked = [Checked(of(seen(), "cache-cpu"), state, known=False)]
    assert limits.health(checked) == ("unknown", "no metric has data")
    some = [*checked, Checked(of(seen(), "service-cpu"), "OK")]
    assert limits.health(some) == ("healthy", "0 of 2 limits crossed; 1 without data")


def test_groups_of_metrics_choose_their_alarms() -> None:
    names = {one.alarm.name for one in limits.of_groups(ALARMS, ["lb"])}
    assert "healthy-hosts" in names and "service-cpu" not in names
