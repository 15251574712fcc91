"""The real client against real HTTP: delays, throttles, pages, expired credentials."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from opsctl import aws
from opsctl.config.model import Aws
from opsctl.logs.budget import Budget
from opsctl.logs.events import LogEvent, LogGroup, Notice
from opsctl.logs.pace import Pace
from opsctl.logs.tail import Reading, Tail
from tests.opsctl.logs.log_server import LogServer, serving

GROUP = "/web/app"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)


def event(number: int, timestamp: float, lag: float = 0.0) -> tuple[float, dict[str, Any]]:
    return timestamp + lag, {
        "eventId": str(number),
        "logStreamName": f"s{number % 3}",
        "timestamp": int(timestamp * 1000),
        "ingestionTime": int((timestamp + lag) * 1000),
        "message": f"line {number}",
    }


@contextmanager
def connected(logs: LogServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[aws.Clients]:
    with serving(logs) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        clients = aws.connect(Aws())
        yield clients
        clients.logs_once.close()
        clients.logs.close()


@contextmanager
def client(logs: LogServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with connected(logs, monkeypatch) as clients:
        yield clients.logs_once


def read(made: Any, *, follow: bool, seconds: float = 30.0, **more: Any) -> list[LogEvent]:
    end = time.monotonic() + seconds
    reading = Tail(
        made,
        Reading([LogGroup("app", GROUP)], since=timedelta(minutes=5), follow=follow),
        pace=Pace(Budget(50.0), interval=0.2, stopped=lambda: time.monotonic() > end),
        **more,
    )
    return [event for item in reading.run() if not isinstance(item, Notice) for event in item]


def test_lines_come_once_through_pages_throttles_and_refused_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = time.time() - 100
    logs = LogServer(GROUP, [event(n, start + n / 100) for n in range(5000)])
    logs.page, logs.throttle, logs.refuse_tokens, logs.empty_first_pages = 300, 5, 2, True
    with client(logs, monkeypatch) as made:
        events = read(made, follow=False)
    assert [int(e.id) for e in events] == list(range(5000))


def test_what_is_written_or_delivered_late_while_following_comes_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = time.time()
    lags = (0.0, 0.4, 2.0)
    logs = LogServer(GROUP, [event(n, start + n / 200, lags[n % 3]) for n in range(-200, 600)])
    logs.throttle, logs.page = 11, 300
    with client(logs, monkeypatch) as made:
        events = read(made, follow=True, seconds=12)
    assert Counter(int(e.id) for e in events) == Counter(range(-200, 600))


def test_expired_credentials_are_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = LogServer(GROUP, [event(1, time.time() - 10)])
    logs.expired_until_call = 2
    renewed = []
    with client(logs, monkeypatch) as made:

        def renew() -> Any:
            renewed.append(1)
            return made

        events = read(made, follow=False, renew=renew)
    assert [e.id for e in events] == ["1"]
    assert renewed


def test_nobody_at_the_endpoint_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with client(LogServer(GROUP, []), monkeypatch) as made:
        pass
    with pytest.raises(Exception) as caught:
        read(made, follow=True)
    assert aws.fault(caught.value) == "nobody"
    made.close()


def test_the_fast_parser_gives_what_botocore_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    logs = LogServer(GROUP, [event(n, time.time() - 10) for n in range(50)])
    logs.page = 20
    with client(logs, monkeypatch) as made:
        plain = boto3.client("logs", region_name="us-east-1")
        ours = made.filter_log_events(logGroupName=GROUP)
        theirs = plain.filter_log_events(logGroupName=GROUP)
        plain.close()
    assert ours["events"] == theirs["events"]
    assert ours["nextToken"] == theirs["nextToken"]
    assert ours["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert "date" in ours["ResponseMetadata"]["HTTPHeaders"]
