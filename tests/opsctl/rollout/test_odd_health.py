"""What answers through the load balancer may be anything: one sentence, in time."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from opsctl.rollout import reach
from opsctl.snapshot.targets import Listener

PROBLEM = b"HTTP/1.1 503 x\r\nContent-Length: %d\r\n\r\n%b"
ODD: dict[str, bytes] = {
    "nothing": b"",
    "noise": bytes(range(256)) * 40,
    "no status": b"HTTP/1.1\r\n\r\n",
    "a status of words": b"HTTP/1.1 fine OK\r\n\r\n",
    "a status beyond": b"HTTP/1.1 99999 OK\r\n\r\n",
    "a long line": b"HTTP/1.1 200 " + b"a" * 100_000,
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)),
    "a wrong length": b"HTTP/1.1 503 x\r\nContent-Length: -5\r\n\r\n{}",
    "half a chunk": b"HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a deep problem": PROBLEM % (5000, b"[" * 5000),
    "a list": PROBLEM % (2, b"[]"),
    "no text": PROBLEM % (2, b"\xff\xfe"),
    "continue for ever": b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
}


def answered(answer: Callable[[socket.socket], None]) -> reach.Answer:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    connection.recv(65536)
                    answer(connection)

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        listener = Listener("127.0.0.1", server.getsockname()[1], tls=False)
        try:
            return reach.reach(listener, sleep=lambda _: None)
        finally:
            server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("body", ODD)
def test_an_odd_answer_is_one_sentence(body: str) -> None:
    answer = answered(lambda connection: connection.sendall(ODD[body]))
    assert answer.sentence.startswith("http://127.0.0.1") and len(answer.sentence) < 5000


def test_a_byte_now_and_then_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "_SECONDS", 0.2)

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(30):
            connection.sendall(b"a")
            time.sleep(0.05)

    began = time.monotonic()
    assert answered(drip).status is None
    assert time.monotonic() - began < 8


def test_a_name_that_cannot_be_one_is_not_resolved() -> None:
    answer = reach.reach(Listener("a..b", 80, tls=False), sleep=lambda _: None)
    assert answer.status is None and "cannot resolve" in answer.text
