import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from opsctl.rollout import reach
from opsctl.snapshot.targets import Listener
from tests.service.certificates import authority

BODY = b'{"detail": "the store cannot be reached"}'


class Failing(BaseHTTPRequestHandler):
    """Answers 503 twice, then 404, as a target that has just been registered; then only 503."""

    answers = [503, 503, 404]

    def do_GET(self) -> None:
        self.send_response(self.answers.pop(0) if self.answers else 503)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(certificate: tuple[Path, Path] | None = None) -> Iterator[Listener]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        Failing.answers = [503, 503, 404]
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield Listener("127.0.0.1", server.server_port, tls=certificate is not None)
        server.shutdown()
        thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with serving() as listener:
        yield listener


def test_any_answer_below_500_shows_that_a_task_was_reached(listener: Listener) -> None:
    waits: list[float] = []
    found = reach.reach(listener, sleep=waits.append)
    assert found.status == 404
    assert len(waits) == 2 and not found.bad


def test_a_service_that_keeps_failing_is_reported_with_its_own_answer(listener: Listener) -> None:
    Failing.answers = []
    found = reach.reach(listener, sleep=lambda _: None)
    assert found.bad
    url = f"{listener.url}{reach.PATH}"
    assert found.sentence == f"{url} answered 503 (the store cannot be reached)"


def test_a_name_that_only_aws_knows_proves_nothing_either_way() -> None:
    found = reach.reach(Listener("nowhere.invalid", 80), sleep=lambda _: None)
    assert found.status is None
    assert "this machine cannot resolve the name" in found.text


def test_a_certificate_for_the_service_s_own_name_is_no_obstacle(tmp_path: Path) -> None:
    """The load balancer's DNS name is in no certificate, and the authority may be private."""
    with serving(authority(tmp_path / "tls").issue("service.example.com")) as listener:
        answer = reach.reach(listener, sleep=lambda _: None)
    assert answer.status == 404 and answer.url.startswith("https://127.0.0.1:")


def test_a_load_balancer_that_lets_nobody_in_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    def silent(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", silent)
    answer = reach.reach(Listener("internal.example.com", 80), sleep=waits.append)
    assert answer.status is None and waits == []
    assert "cannot be reached from here: no connection within 5 seconds" in answer.text


def test_a_service_that_accepts_and_says_nothing_is_said_to_do_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reach, "_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        listener = Listener("127.0.0.1", mute.getsockname()[1])
        answer = reach.reach(listener, sleep=lambda _: None)
    assert answer.text.startswith("accepted the connection and did not answer")
