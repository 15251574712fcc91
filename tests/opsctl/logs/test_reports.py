"""Lags of streams, kinds of lines before and after a release, queries of Insights."""

from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.aws import Unreadable
from opsctl.errors import AwsError, ConfigError
from opsctl.logs import query as insights
from opsctl.logs.events import LogEvent
from opsctl.logs.lag import lags, silent
from opsctl.logs.shapes import Shapes, compare, masked
from tests.opsctl.snapshots import START
from tests.opsctl.stacks.fake import Clients, CloudFormation, refusal

TASK = "0f3a91bc11d24d0f9a53aa77cc2211ee"
AT = int(START.timestamp() * 1000)


def line(text: str, lag: int = 0, stream: str = "s", source: str = "app") -> LogEvent:
    return LogEvent(AT, AT + lag, source, stream, "", text)


def test_each_stream_has_its_lag_the_latest_first() -> None:
    quick = [line("x", 100) for _ in range(10)]
    late = [line("x", n * 1000, f"web/web/{TASK}") for n in range(100)]
    first, second = lags([quick, late])
    assert (first.id, first.lines, first.p50, first.p99) == (TASK[:8], 100, 50_000, 99_000)
    assert (second.p99, second.newest) == (100, START)


def test_of_a_million_lines_only_the_newest_lags_are_kept_and_the_longest() -> None:
    [lag] = lags([[line("x", 9_999)], *([line("x", 5)] * 100 for _ in range(100))])
    assert (lag.lines, lag.p99, lag.longest) == (10_001, 5, 9_999)


def test_a_clock_that_is_ahead_is_no_lag() -> None:
    [lag] = lags([[line("x", -3000)]])
    assert lag.p50 == 0


def test_a_task_without_a_line_is_silent() -> None:
    lag = lags([[line("x", stream=f"web/web/{TASK}", source="stdout")]])
    assert silent(lag, "stdout", [TASK, "ffffffff00"]) == ["ffffffff00"]


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("GET /v1/cids/17 took 3.5 ms", "GET /v#/cids/# took # ms"),
        (f"task {TASK} at 0x7f3a", "task # at #"),
        ("id 0f3a91bc-11d2-4d0f-9a53-aa77cc2211ee", "id #"),
        ("2026-11-26T12:00:00.123Z from 10.0.0.7:8080", "# from #"),
        ("  first\nsecond 2", "first"),
    ],
)
def test_numbers_and_ids_are_masked(text: str, shape: str) -> None:
    assert masked(text) == shape


@given(st.text())
def test_masking_takes_whatever_a_line_holds(text: str) -> None:
    assert len(masked(text)) <= 160


def shapes(*lines: str) -> Shapes:
    taken = Shapes()
    taken.take([[line(text) for text in lines]])
    return taken


def test_kinds_of_lines_are_new_gone_louder_or_quieter() -> None:
    before = shapes(*["took 1 ms"] * 10, *["poll 1"] * 10, *["old"] * 5, *["loud"] * 2)
    after = shapes(*["took 7 ms"] * 10, *["poll 2"] * 2, "ERROR no redis", *["loud"] * 9)
    changes = compare(before, after)
    assert [(one.change, one.shape.text, one.before, one.after) for one in changes] == [
        ("new", "ERROR no redis", 0, 1),
        ("louder", "loud", 2, 9),
        ("gone", "old", 5, 0),
        ("quieter", "poll #", 10, 2),
    ]


def test_a_shorter_time_after_is_compared_with_as_much_of_the_time_before() -> None:
    before, after = shapes(*["beat"] * 30), shapes(*["beat"] * 10)
    assert compare(before, after, scale=1 / 3) == []


def test_an_error_that_is_new_stands_before_other_new_lines() -> None:
    changes = compare(shapes(), shapes(*["hello"] * 50, "ERROR bad", "WARNING odd"))
    assert [one.shape.text for one in changes] == ["ERROR bad", "WARNING odd", "hello"]


class Malformed(Exception):
    pass


class Insights:
    """Answers each look at the results in turn."""

    exceptions = type("Exceptions", (), {"MalformedQueryException": Malformed})

    def __init__(self, *statuses: str, malformed: str = "") -> None:
        self.statuses, self.malformed = list(statuses), malformed
        self.rows: Any = [
            [{"field": "@message", "value": "a"}, {"field": "@ptr", "value": "p"}],
            [{"field": "@message", "value": "b"}, {"field": "level", "value": "error"}],
        ]
        self.request: dict[str, Any] = {}
        self.stopped: list[str] = []
        self.fails: Exception | None = None

    def start_query(self, **request: Any) -> Any:
        if self.malformed:
            raise Malformed(self.malformed)
        self.request = request
        return {"queryId": "q1"}

    def get_query_results(self, *, queryId: str) -> Any:
        counts = {"recordsMatched": 2.0, "recordsScanned": 9.0, "bytesScanned": 2e9}
        return {"status": self.statuses.pop(0), "results": self.rows, "statistics": counts}

    def stop_query(self, *, queryId: str) -> None:
        self.stopped.append(queryId)
        if self.fails:
            raise self.fails


def querying(logs: Insights, groups: int = 1) -> Any:
    names = [f"/web/{number}" for number in range(groups)]
    end = START + timedelta(hours=1, milliseconds=1)
    clients = Clients(CloudFormation(), logs=logs)
    return insights.query(
        cast(Any, clients), names, "fields @message", START, end, limit=5, sleep=lambda _: None
    )


def test_a_query_is_waited_for_and_its_rows_have_the_fields_of_all() -> None:
    logs = Insights("Scheduled", "Running", "Complete")
    running = querying(logs)
    stages = [next(running) for _ in range(3)]
    with pytest.raises(StopIteration) as ended:
        next(running)
    rows = ended.value.value
    assert rows.columns == ("@message", "level")
    assert rows.rows == (("a", ""), ("b", "error"))
    assert [one.status for one in stages] == ["Scheduled", "Running", "Complete"]
    assert round(stages[-1].price, 4) == 0.01
    # An end before the creation of a log group is refused, also by parts of a second.
    asked = (logs.request["startTime"], logs.request["endTime"])
    assert asked == (int(START.timestamp()), int(START.timestamp()) + 3601)
    assert logs.stopped == []


def test_a_query_that_nobody_waits_for_is_stopped() -> None:
    logs = Insights("Running")
    running = querying(logs)
    next(running)
    running.close()
    assert logs.stopped == ["q1"]


@pytest.mark.parametrize("code", ["InvalidParameterException", "AccessDeniedException"])
def test_a_query_that_cannot_be_stopped_hides_no_other_error(code: str) -> None:
    # InvalidParameterException: it ended by itself just before.
    logs = Insights("Running")
    logs.fails = refusal("StopQuery", code)
    running = querying(logs)
    next(running)
    with pytest.raises(KeyboardInterrupt):
        running.throw(KeyboardInterrupt())
    assert logs.stopped == ["q1"]


@pytest.mark.parametrize(
    "rows", [[[{}]], [[{"value": "a"}]], [["x"]], [[None]], "x", None, [[{"field": None}], 3]]
)
def test_rows_that_make_no_sense_are_said_to_be_unreadable(rows: Any) -> None:
    logs = Insights("Complete")
    logs.rows = rows
    with pytest.raises(Unreadable, match="what AWS says of the query cannot be read"):
        list(querying(logs))


def test_a_value_of_any_kind_is_text() -> None:
    logs = Insights("Complete")
    logs.rows = [[{"field": "a", "value": None}, {"field": "b", "value": 3}, {"field": "c"}]]
    running = querying(logs)
    next(running)
    with pytest.raises(StopIteration) as ended:
        next(running)
    assert ended.value.value.rows == (("", "3", ""),)


def test_a_query_that_fails_is_an_error_and_a_bad_one_the_users() -> None:
    with pytest.raises(AwsError, match="ended as Timeout"):
        list(querying(Insights("Timeout")))
    with pytest.raises(ConfigError, match="does not take this query: unexpected symbol"):
        list(querying(Insights(malformed="unexpected symbol")))
    with pytest.raises(ConfigError, match="at most 50"):
        list(querying(Insights(), groups=51))


def test_a_time_before_the_log_groups_were_made_has_a_hint_of_its_own() -> None:
    reason = "Query's end date and time is either before the log groups creation time"
    with pytest.raises(ConfigError) as refused:
        list(querying(Insights(malformed=reason)))
    assert refused.value.hint == "give a later --until, or other sources"
