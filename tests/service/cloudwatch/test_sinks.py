"""CloudWatch Logs over HTTP: against the sandbox, and a server that is busy or broken."""

import io
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from service.cloudwatch import sinks
from service.cloudwatch.stream import LogEvent, LogStream, NotWritten, Rejected
from service.errors import StartError
from service.trust import aws
from tests.service.sandbox import Cloud, running

GROUP = "app"


class Loopback(aws.Session):
    """A session whose clients are real and talk to a server on the loopback."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def has_credentials(self) -> bool:
        return True

    def client(self, service: str, *, attempts: int = 3) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self._cloud.url,
            region_name="us-east-1",
            aws_access_key_id=self._cloud.key,
            aws_secret_access_key=self._cloud.secret,
            config=Config(
                connect_timeout=2, read_timeout=2, retries={"total_max_attempts": attempts}
            ),
        )


def sink(cloud: Cloud, stream: str = "s") -> sinks.CloudWatch:
    return sinks.CloudWatch(Loopback(cloud).client("logs", attempts=1), GROUP, stream)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("sandbox")) as cloud:
        Loopback(cloud).client("logs").create_log_group(logGroupName=GROUP)
        yield cloud


def stored(cloud: Cloud, stream: str) -> list[dict[str, Any]]:
    logs = Loopback(cloud).client("logs")
    answer = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)
    events: list[dict[str, Any]] = answer["events"]
    return events


def everything(cloud: Cloud, stream: str) -> Iterator[dict[str, Any]]:
    pages = Loopback(cloud).client("logs").get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=GROUP, logStreamNames=[stream]):
        yield from page["events"]


def test_events_arrive_in_a_stream_of_their_own(sandbox: Cloud) -> None:
    target = sinks.choose(
        GROUP,
        "development",
        container=lambda: "0123abcd",
        stderr=io.StringIO(),
        session=lambda: Loopback(sandbox),
        now=datetime(2026, 11, 23, 22, 5, 1, tzinfo=UTC),
    )
    stream = LogStream(target, 1000, last_resort=lambda left: None)
    stream.open()
    begin = int(time.time() * 1000)
    for n in range(2500):
        stream.put(LogEvent(begin + n % 7, f"event {n}"))
    stream.close()
    name = "development20261123T220501Z-0123abcd"
    assert stream.status()["stream"] == name
    events = stored(sandbox, name)
    assert len(events) == 1001
    assert stream.status()["sent"] == 1001
    assert stream.status()["dropped"] == 1500
    assert {each["message"] for each in events} >= {f"event {n}" for n in range(1500, 2500)}


def test_more_than_one_call_takes_arrives_whole_and_in_order(sandbox: Cloud) -> None:
    left: list[LogEvent] = []
    stream = LogStream(sink(sandbox, "many"), 100_000, last_resort=left.extend)
    stream.open()
    now = int(time.time() * 1000)
    texts = [f"{n} " + "é" * (n % 400) for n in range(12_000)]
    texts += [f"{n} " + "x" * 300_000 for n in range(12_000, 12_010)]
    for n, text in enumerate(texts):
        stream.put(LogEvent(now - 3_600_000 + (n * 7919) % 12_010, text))
    stream.close(60)
    assert (left, stream.status()["sent"], stream.status()["rejected"]) == ([], 12_010, 0)
    events = list(everything(sandbox, "many"))
    assert sorted(each["message"] for each in events) == sorted(texts)
    assert [each["timestamp"] for each in events] == sorted(each["timestamp"] for each in events)


def test_what_cloudwatch_finds_too_old_or_too_new_is_counted_and_told(sandbox: Cloud) -> None:
    stream = LogStream(sink(sandbox, "odd"), 1000, last_resort=lambda left: None)
    stream.open()
    now, hour = int(time.time() * 1000), 3_600_000
    for hours in (-24 * 20, -24 * 15, -1, 0, 3):
        stream.put(LogEvent(now + hours * hour, f"{hours} hours"))
    deadline = time.monotonic() + 30
    while stream.status()["rejected"] < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    stream.close()
    status = stream.status()
    messages = [each["message"] for each in stored(sandbox, "odd")]
    assert {"-1 hours", "0 hours"} <= set(messages)
    assert not {"-480 hours", "-360 hours", "3 hours"} & set(messages)
    assert status["rejected"] == 3
    assert sum("log events were rejected" in message for message in messages) >= 1


def test_two_workers_may_open_one_stream(sandbox: Cloud) -> None:
    assert sink(sandbox, "shared").open() == "shared"
    assert sink(sandbox, "shared").open() == "shared"


def test_a_group_that_does_not_exist_stops_the_start(sandbox: Cloud) -> None:
    missing = sinks.CloudWatch(Loopback(sandbox).client("logs"), "absent", "s")
    with pytest.raises(StartError, match="^log group absent does not exist"):
        missing.open()


def test_a_stream_that_someone_removed_is_made_again(sandbox: Cloud) -> None:
    target = sink(sandbox, "removed")
    target.open()
    Loopback(sandbox).client("logs").delete_log_stream(logGroupName=GROUP, logStreamName="removed")
    assert target.write([LogEvent(int(time.time() * 1000), "still here")]) is None
    assert [each["message"] for each in stored(sandbox, "removed")] == ["still here"]


class Busy:
    """A server that answers PutLogEvents by a script, and everything else with success."""

    def __init__(self, url: str) -> None:
        self.cloud = Cloud(url)
        self.script: list[tuple[int, dict[str, Any]]] = []
        self.on_create: tuple[int, dict[str, Any]] = (200, {})
        self.puts: list[dict[str, Any]] = []

    def answer(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if operation == "CreateLogStream":
            return self.on_create
        self.puts.append(body)
        return self.script.pop(0) if self.script else (200, {})


@pytest.fixture
def busy() -> Iterator[Busy]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, answer = server.answer(self.headers["x-amz-target"].split(".")[-1], body)
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None: ...

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Busy(f"http://127.0.0.1:{listener.server_address[1]}")
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
    thread.start()
    yield server
    listener.shutdown()
    thread.join()
    listener.server_close()


def error(code: str, status: int = 400) -> tuple[int, dict[str, Any]]:
    return status, {"__type": code, "message": "no"}


THROTTLED = error("ThrottlingException")
BATCH = [LogEvent(n, f"event {n}") for n in range(10)]


@pytest.mark.parametrize(
    ("answer", "reason", "retry"),
    [
        (THROTTLED, "ThrottlingException", True),
        (error("ServiceUnavailableException", 503), "ServiceUnavailableException", True),
        (error("InternalFailure", 500), "InternalFailure", True),
        (error("ExpiredTokenException"), "ExpiredTokenException", True),
        (error("AccessDeniedException"), "AccessDeniedException", True),
        (error("InvalidParameterException"), "InvalidParameterException", False),
    ],
)
def test_what_is_refused_for_now_and_what_for_good(
    busy: Busy, answer: tuple[int, dict[str, Any]], reason: str, retry: bool
) -> None:
    busy.script = [answer]
    with pytest.raises(NotWritten, match=reason) as caught:
        sink(busy.cloud).write(BATCH)
    assert caught.value.retry is retry
    assert len(busy.puts) == 1, "retries are the log stream's, not botocore's"


@pytest.mark.parametrize(
    ("info", "rejected"),
    [
        ({"tooOldLogEventEndIndex": 3}, Rejected(3, "3 too old")),
        ({"expiredLogEventEndIndex": 2}, Rejected(2, "2 too old")),
        ({"tooNewLogEventStartIndex": 6}, Rejected(4, "4 too new")),
        (
            {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 9},
            Rejected(2, "1 too old and 1 too new"),
        ),
        ({}, None),
    ],
)
def test_rejected_events_are_counted(
    busy: Busy, info: dict[str, int], rejected: Rejected | None
) -> None:
    busy.script = [(200, {"rejectedLogEventsInfo": info})]
    assert sink(busy.cloud).write(BATCH) == rejected


def test_nothing_is_lost_while_cloudwatch_is_busy(busy: Busy) -> None:
    busy.script = [THROTTLED, error("InternalFailure", 500), THROTTLED]
    left: list[LogEvent] = []
    stream = LogStream(sink(busy.cloud), 100, last_resort=left.extend, first_pause=0.02)
    stream.open()
    for each in BATCH:
        stream.put(each)
    stream.close()
    taken = busy.puts[3]["logEvents"]
    assert [each["message"] for each in taken] == [each.message for each in BATCH]
    assert (len(busy.puts), left, stream.status()["sent"]) == (4, [], 10)


def test_a_cloudwatch_that_is_away_at_the_start_does_not_stop_it(
    busy: Busy, caplog: pytest.LogCaptureFixture
) -> None:
    busy.on_create = error("ServiceUnavailableException", 503)
    busy.script = [error("ResourceNotFoundException")]
    target = sink(busy.cloud)
    assert target.open() == "s"
    assert "cannot be reached yet: ServiceUnavailableException" in caplog.text
    busy.on_create = (200, {})
    assert target.write(BATCH) is None
    assert len(busy.puts) == 2


def test_a_permission_that_is_missing_at_the_start_stops_it(busy: Busy) -> None:
    busy.on_create = error("AccessDeniedException")
    with pytest.raises(StartError, match="no log stream in group app: AccessDeniedException"):
        sink(busy.cloud).open()


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(NotWritten, match="EndpointConnectionError") as caught:
        sink(Cloud(f"http://127.0.0.1:{port}")).write(BATCH)
    assert caught.value.retry


class Nobody(aws.Session):
    def has_credentials(self) -> bool:
        return False


def test_without_credentials_events_go_to_standard_error_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shown = io.StringIO()
    target = sinks.choose(
        GROUP,
        "root",
        container=lambda: "x",
        stderr=shown,
        session=Nobody,
    )
    stream = LogStream(target, 10, last_resort=lambda left: None)
    stream.open()
    stream.put(LogEvent(1, '{"error": "x"}'))
    stream.close()
    assert shown.getvalue() == '{"error": "x"}\n'
    assert caplog.text.count("no AWS credentials") == 1
    assert stream.status()["stream"] == "stderr"


@pytest.mark.parametrize(
    ("keys", "found"),
    [({}, False), ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, True)],
)
def test_credentials_and_region_come_from_awss_own_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, str], found: bool
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    nothing = str(tmp_path / "nothing")
    quiet = {"AWS_CONFIG_FILE": nothing, "AWS_SHARED_CREDENTIALS_FILE": nothing}
    quiet |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-west-3"}
    for name, value in {**quiet, **keys}.items():
        monkeypatch.setenv(name, value)
    session = aws.Session()
    assert session.has_credentials() is found
    assert session.client("logs").meta.region_name == "eu-west-3"
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(StartError, match="You must specify a region"):
        aws.Session().client("logs")


def serve_once(answer: bytes) -> tuple[str, threading.Thread]:
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    thread = threading.Thread(target=run)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/v4/x", thread


@pytest.mark.parametrize(
    ("answer", "is_task"),
    [
        (b'HTTP/1.0 200 OK\r\n\r\n{"TaskARN": "arn:aws:ecs:r:1:task/cluster/0123abcd"}', True),
        (b"HTTP/1.0 200 OK\r\n\r\nnonsense", False),
        (b"HTTP/1.0 200 OK\r\n\r\n[]", False),
        (b"HTTP/1.0 500 no\r\n\r\n", False),
        (b"garbage", False),
    ],
)
def test_the_container_is_named_by_its_task_or_else_by_its_host(
    answer: bytes, is_task: bool
) -> None:
    url, thread = serve_once(answer)
    name = sinks.container_id(url)
    thread.join()
    assert name == ("0123abcd" if is_task else f"{socket.gethostname()}-{os.getpid()}")


def test_outside_of_ecs_the_container_is_named_by_its_host() -> None:
    assert sinks.container_id("") == f"{socket.gethostname()}-{os.getpid()}"


def test_a_closed_standard_error_loses_lines_and_nothing_else() -> None:
    shown = io.StringIO()
    shown.close()
    batch: Sequence[LogEvent] = [LogEvent(1, "x")]
    with pytest.raises(NotWritten) as caught:
        sinks.Stderr(shown).write(batch)
    assert not caught.value.retry
