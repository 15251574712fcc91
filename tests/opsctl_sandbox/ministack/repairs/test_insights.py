"""Logs Insights: counts by field, and what is refused."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect


@pytest.fixture
def group(connect: Connect, unique: str) -> str:
    logs, now = connect("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName=unique)
    for stream, count in (("a", 3), ("b", 1)):
        logs.create_log_stream(logGroupName=unique, logStreamName=stream)
        events = [{"timestamp": now - 9000 + n, "message": f"line {n}"} for n in range(count)]
        logs.put_log_events(logGroupName=unique, logStreamName=stream, logEvents=events)
    return unique


def ask(logs: Any, group: str, text: str, **more: Any) -> list[dict[str, str]]:
    now = int(time.time())
    started = logs.start_query(
        logGroupNames=[group], queryString=text, startTime=now - 60, endTime=now + 60, **more
    )
    rows = logs.get_query_results(queryId=started["queryId"])["results"]
    return [{one["field"]: one["value"] for one in row} for row in rows]


def test_stats_count_by_stream_and_ministack_alone_counts_nothing(
    connect: Connect, plain: Connect, group: str
) -> None:
    text = "stats count(*) as lines, max(@message) as last by @logStream | sort lines desc"
    assert ask(connect("logs"), group, text) == [
        {"@logStream": "a", "lines": "3", "last": "line 2"},
        {"@logStream": "b", "lines": "1", "last": "line 0"},
    ]
    assert "lines" not in ask(plain("logs"), group, text)[0]


def test_a_filter_before_and_a_limit_after_hold(connect: Connect, group: str) -> None:
    logs = connect("logs")
    text = "filter @message like /line 0/ | stats count(*) by @logStream"
    assert [row["count(*)"] for row in ask(logs, group, text)] == ["1", "1"]
    assert len(ask(logs, group, f"{text} | limit 1")) == 1
    assert len(ask(logs, group, text, limit=1)) == 1


def test_fields_of_json_lines_are_shown_compared_and_sorted_by_as_numbers(
    connect: Connect, plain: Connect, unique: str
) -> None:
    logs, now = connect("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName=unique)
    logs.create_log_stream(logGroupName=unique, logStreamName="a")
    lines = ['{"took": 9.5, "path": "/a"}', '{"took": 120, "path": "/b"}', "no JSON", "[1]", "{"]
    events = [{"timestamp": now - 9000, "message": line} for line in lines]
    logs.put_log_events(logGroupName=unique, logStreamName="a", logEvents=events)
    text = "fields took, path | filter took > 0 | sort took desc"
    slow, fast = {"took": "120", "path": "/b"}, {"took": "9.5", "path": "/a"}
    assert ask(logs, unique, text) == [slow, fast]
    assert ask(logs, unique, f"{text} | limit 1") == [slow] == ask(logs, unique, text, limit=1)
    assert ask(logs, unique, text.replace("> 0", "<= 9.5")) == [fast]
    assert ask(plain("logs"), unique, text)[0] != slow


@pytest.mark.parametrize("text", ["eror", "fields @message | nope x", "stats p(x)", "filter"])
def test_what_is_no_query_is_refused(connect: Connect, group: str, text: str) -> None:
    with pytest.raises(ClientError, match="MalformedQuery"):
        ask(connect("logs"), group, text)
