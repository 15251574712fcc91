from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from opsctl import aws
from opsctl.metrics.catalogue import CATALOGUE, Query
from opsctl.metrics.fetch import fetch
from opsctl.metrics.series import window

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
OVER = window(NOW - timedelta(minutes=4), NOW)


class Scripted:
    """A client that answers from a list and keeps what it was asked."""

    def __init__(self, answers: Sequence[dict[str, Any]]) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        return self.answers.pop(0)


def result(id: str, *points: tuple[int, float], status: str = "Complete") -> dict[str, Any]:
    return {
        "Id": id,
        "Timestamps": [OVER.time(index) for index, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": status,
    }


def test_a_screen_is_one_call_and_partial_answers_are_followed() -> None:
    queries = [Query(metric, {"ClusterName": "web"}) for metric in CATALOGUE[:2]]
    client = Scripted(
        [
            {
                "MetricDataResults": [
                    result("m1", (3, 4.0), (0, 1.0)),
                    result("m0", (1, 2.0), status="PartialData"),
                ],
                "NextToken": "more",
            },
            {"MetricDataResults": [result("m0", (2, 3.0))]},
        ]
    )
    first, second = fetch(cast(Any, client), queries, OVER)
    assert list(first.points) == [None, 2.0, 3.0, None]
    assert list(second.points) == [1.0, None, None, 4.0]
    assert (first.status, len(client.requests)) == ("Complete", 2)
    assert client.requests[1]["NextToken"] == "more"
    assert client.requests[0]["StartTime"] == OVER.start


def test_what_fails_inside_cloudwatch_keeps_its_status() -> None:
    client = Scripted([{"MetricDataResults": [result("m0", status="InternalError")]}])
    (series,) = fetch(cast(Any, client), [Query(CATALOGUE[0], {})], OVER)
    assert series.status == "InternalError"


@pytest.mark.parametrize(
    "odd",
    [
        {},
        result("zz"),
        result("m7", (0, 1.0)),
        {"Id": "m0"},
        {"Id": "m0", "Timestamps": [NOW], "Values": []},
        {"Id": "m0", "Timestamps": [NOW], "Values": ["x"]},
    ],
)
def test_a_result_that_makes_no_sense_is_said_to_be_unreadable(odd: dict[str, Any]) -> None:
    client = Scripted([{"MetricDataResults": [odd]}])
    with pytest.raises(aws.Unreadable, match="what AWS says of the metrics cannot be read"):
        fetch(cast(Any, client), [Query(CATALOGUE[0], {})], OVER)


def test_pages_that_lead_round_in_a_circle_are_left() -> None:
    client = Scripted([{"MetricDataResults": [], "NextToken": "a"}] * 5)
    with pytest.raises(aws.Unreadable, match="the same page again"):
        fetch(cast(Any, client), [Query(CATALOGUE[0], {})], OVER)


def test_more_than_five_hundred_queries_are_several_calls() -> None:
    queries = [Query(CATALOGUE[0], {"ClusterName": str(n)}) for n in range(501)]
    client = Scripted([{"MetricDataResults": []}, {"MetricDataResults": [result("m0", (0, 7.0))]}])
    series = fetch(cast(Any, client), queries, OVER)
    assert [len(request["MetricDataQueries"]) for request in client.requests] == [500, 1]
    assert list(series[500].points) == [7.0, None, None, None]
    assert len(series) == 501
