"""A server that answers slowly, without end, or with pages that have no last one."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from botocore.exceptions import BotoCoreError

from opsctl import aws
from opsctl.aws import bounds
from opsctl.config.model import Aws
from opsctl.errors import OpsError

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\n"
Answer = Callable[[socket.socket], None]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], None]]:
    """Answer every connection by this function, each in its thread."""
    listening = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    over = threading.Event()

    def take(answer: Answer) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.recv(65536)
                answer(connection)

    def start(answer: Answer) -> None:
        threads.append(threading.Thread(target=take, args=(answer,), daemon=True))
        threads[0].start()

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
    yield start
    over.set()
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    for thread in threads:
        thread.join(5)


def clients(seconds: float = 0.3) -> aws.Clients:
    region = Aws.model_validate({"region": "us-east-1"})
    return aws.connect(region, patience=aws.Patience(0), read_timeout=seconds)


def drip(connection: socket.socket, data: bytes = b" ") -> None:
    """A byte now and then, for longer than the test takes."""
    for _ in range(100):
        connection.sendall(data)
        time.sleep(0.05)


def slow_head(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
    drip(connection, b"a")


def slow_body(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"content-length: 10000\r\n\r\n{")
    drip(connection)


def always_continue(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


def chunks_without_end(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    while True:
        connection.sendall((b"10000\r\n" + b" " * 0x10000 + b"\r\n") * 16)


@pytest.mark.parametrize("answer", [slow_head, slow_body, always_continue, chunks_without_end])
def test_an_answer_that_does_not_end_is_given_up(
    serve: Callable[[Answer], None], answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws.patience, "_HANGS", 0.1)
    serve(answer)
    with pytest.raises(BotoCoreError) as raised:
        clients().ecs.list_clusters()
    assert aws.fault(raised.value) == "unreachable"


def test_an_answer_in_pieces_is_whole(serve: Callable[[Answer], None]) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        for piece in (b'{"clusterArns": ', b'["a"]', b"}"):
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            time.sleep(0.01)
        connection.sendall(b"0\r\n\r\n")

    serve(answer)
    assert clients(5.0).ecs.list_clusters()["clusterArns"] == ["a"]


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"], None])
def test_pages_that_have_no_last_one_are_given_up(
    serve: Callable[[Answer], None], tokens: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "_PAGES", 20)
    given = iter(tokens or map(str, range(1000)))

    def answer(connection: socket.socket) -> None:
        body = b'{"clusterArns": ["c"], "nextToken": "%b"}' % next(given, "z").encode()
        connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)

    serve(answer)
    with pytest.raises((OpsError, BotoCoreError)) as raised:
        list(clients(5.0).ecs.get_paginator("list_clusters").paginate())
    refused = aws.translate(raised.value)
    assert refused is not None
    assert "circle" in refused.message or "no end" in refused.message


def test_the_same_list_may_be_asked_for_again_and_others_meanwhile() -> None:
    pages = bounds.Pages()
    for _ in range(3):
        assert not pages.endless("ListTasks", {"cluster": "x"})
        for token in ("1", "2"):
            for cluster in ("x", "y"):
                given = {"cluster": cluster, "nextToken": token}
                assert not pages.endless("ListTasks", given) or cluster == "y"
        assert not pages.endless("ListTasks", {"cluster": "y"})
