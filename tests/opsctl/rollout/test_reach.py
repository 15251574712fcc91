import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opsctl.rollout import reach
from opsctl.snapshot.targets import Listener

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


@pytest.fixture
def listener() -> Iterator[Listener]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        Failing.answers = [503, 503, 404]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Listener("127.0.0.1", server.server_port)
        server.shutdown()
        thread.join()


def test_any_answer_below_500_shows_that_a_task_was_reached(listener: Listener) -> None:
    waits: list[float] = []
    found = reach.reach(listener, sleep=waits.append)
    assert found.status == 404
    assert len(waits) == 2 and not found.bad


def test_a_service_that_goes_on_failing_is_told_in_its_own_words(listener: Listener) -> None:
    Failing.answers = []
    found = reach.reach(listener, sleep=lambda _: None)
    assert found.bad
    url = f"{listener.url}{reach.PATH}"
    assert found.sentence == f"{url} answered 503 (the store cannot be reached)"


def test_a_name_that_only_aws_knows_proves_nothing_either_way() -> None:
    found = reach.reach(Listener("nowhere.invalid", 80), sleep=lambda _: None)
    assert found.status is None
    assert "this machine cannot resolve the name" in found.text
