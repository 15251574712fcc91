"""CloudWatch Logs: what ministack gets wrong, still, and what the sandbox answers instead."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect

DAY = 86_400_000


def now() -> int:
    return int(time.time() * 1000)


def write(logs: Any, group: str, streams: dict[str, list[str]]) -> None:
    """Messages of all streams, one a millisecond, taking turns."""
    logs.create_log_group(logGroupName=group)
    start = now() - 60_000
    for offset, (stream, messages) in enumerate(streams.items()):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [
            {"timestamp": start + index * len(streams) + offset, "message": message}
            for index, message in enumerate(messages)
        ]
        if events:
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def messages(logs: Any, **parameters: Any) -> list[str]:
    found = []
    while True:
        page = logs.filter_log_events(**parameters)
        found += [event["message"] for event in page["events"]]
        if "nextToken" not in page:
            return found
        parameters["nextToken"] = page["nextToken"]


def test_a_limited_page_has_a_token_and_the_pages_are_the_whole(
    connect: Connect, plain: Connect, unique: str
) -> None:
    logs = connect("logs")
    write(logs, unique, {"a": ["a1", "a2", "a3"], "b": ["b1", "b2"]})
    everything = ["a1", "b1", "a2", "b2", "a3"]

    assert messages(plain("logs"), logGroupName=unique, limit=2) != everything
    assert messages(logs, logGroupName=unique, limit=2) == everything


def test_pages_of_events_of_one_millisecond_lose_and_repeat_nothing(
    connect: Connect, unique: str
) -> None:
    logs = connect("logs")
    logs.create_log_group(logGroupName=unique)
    at = now()
    for stream in "abc":
        logs.create_log_stream(logGroupName=unique, logStreamName=stream)
        events = [{"timestamp": at, "message": f"{stream}{n}"} for n in range(7)]
        logs.put_log_events(logGroupName=unique, logStreamName=stream, logEvents=events)

    found = messages(logs, logGroupName=unique, limit=2)
    assert sorted(found) == sorted(f"{stream}{n}" for stream in "abc" for n in range(7))


def test_a_page_ends_at_a_megabyte(connect: Connect, unique: str) -> None:
    logs = connect("logs")
    write(logs, unique, {"a": ["x" * 200_000] * 4, "b": ["y" * 200_000] * 4})

    first = logs.filter_log_events(logGroupName=unique)
    assert len(first["events"]) < 8
    assert len(messages(logs, logGroupName=unique)) == 8


def test_a_pattern_that_finds_nothing_in_many_events_gives_empty_pages(
    connect: Connect, unique: str
) -> None:
    logs = connect("logs")
    write(logs, unique, {name: ["nothing"] * 9_000 for name in "abcdef"})

    page = logs.filter_log_events(logGroupName=unique, filterPattern="needle")
    assert page["events"] == []
    assert page["nextToken"]


def test_the_stream_prefix_chooses(connect: Connect, plain: Connect, unique: str) -> None:
    write(connect("logs"), unique, {"app/1": ["one"], "web/1": ["two"]})
    parameters = {"logGroupName": unique, "logStreamNamePrefix": "app/"}

    assert messages(plain("logs"), **parameters) == ["one", "two"]
    assert messages(connect("logs"), **parameters) == ["one"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("ERROR", ["ERROR a"]),
        ("?ERROR ?warn", ["ERROR a", "warn b"]),
        ("{ $.status >= 500 }", ['{"status": 502}']),
        ("%w.rn%", ["warn b"]),
        ("[level = warn || level = ERROR, ...]", ["ERROR a", "warn b"]),
    ],
)
def test_patterns_are_read(
    connect: Connect, plain: Connect, unique: str, pattern: str, expected: list[str]
) -> None:
    lines = ["ERROR a", "error a", "warn b", '{"status": 502}', '{"status": 200}']
    write(connect("logs"), unique, {"s": lines})
    parameters = {"logGroupName": unique, "filterPattern": pattern}

    assert messages(plain("logs"), **parameters) != expected
    assert messages(connect("logs"), **parameters) == expected


def test_an_unsorted_batch_is_refused(connect: Connect, plain: Connect, unique: str) -> None:
    logs = connect("logs")
    write(logs, unique, {"s": []})
    unsorted = [{"timestamp": now(), "message": "b"}, {"timestamp": now() - 9, "message": "a"}]
    parameters = {"logGroupName": unique, "logStreamName": "s", "logEvents": unsorted}

    plain("logs").put_log_events(**parameters)
    with pytest.raises(ClientError, match="chronological order"):
        logs.put_log_events(**parameters)


def test_events_too_old_or_too_new_are_rejected_and_counted(
    connect: Connect, plain: Connect, unique: str
) -> None:
    logs = connect("logs")
    write(logs, unique, {"s": []})

    def put(client: Any, *stamps: int) -> Any:
        events = [{"timestamp": stamp, "message": str(stamp)} for stamp in stamps]
        return client.put_log_events(logGroupName=unique, logStreamName="s", logEvents=events)

    old = now() - 15 * DAY
    assert "rejectedLogEventsInfo" not in put(plain("logs"), old)
    assert put(logs, old, old + 1)["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2}
    ahead = now() + DAY // 4
    answer = put(logs, now(), ahead)
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert str(ahead) not in messages(logs, logGroupName=unique)


def test_events_past_the_groups_retention_are_rejected(connect: Connect, unique: str) -> None:
    logs = connect("logs")
    write(logs, unique, {"s": []})
    logs.put_retention_policy(logGroupName=unique, retentionInDays=3)
    events = [{"timestamp": now() - 4 * DAY, "message": "late"}]
    answer = logs.put_log_events(logGroupName=unique, logStreamName="s", logEvents=events)

    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
