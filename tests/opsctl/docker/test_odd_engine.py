"""What answers as the engine may be anything: each call ends in one sentence."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from opsctl import docker
from opsctl.docker import BuildRequest
from opsctl.docker.engine import Engine
from opsctl.errors import DockerError

BODIES = {
    "a number": b"5",
    "null": b"null",
    "a list": b"[[]]",
    "a text": b'"x"',
    "a page": b"<html>",
    "half": b'{"Id": "x',
    "nothing": b"",
    "bytes": b"\xff\xfe",
    "deep": b"[" * 5000 + b"]" * 5000,
    "null inside": b'{"aux": null, "progressDetail": 5, "Descriptor": null, "RepoDigests": 7}',
    "words for numbers": b'{"status": "x", "progressDetail": {"current": "x"}}',
    "an error that is a list": b'{"error": ["x"], "errorDetail": "y"}',
}


class Odd(BaseHTTPRequestHandler):
    body = b""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        version = self.path == "/version"
        body = json.dumps({"ApiVersion": "1.44"}).encode() if version else self.body
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        url = f"tcp://127.0.0.1:{server.server_port}"
        engine = Engine(docker.reach({"base_url": url}, timeout=5, hint=""))
        yield engine
        engine.close()
        server.shutdown()
        thread.join()


def build(engine: Engine) -> Any:
    request = BuildRequest("Dockerfile", "t", platform="linux/amd64")
    return list(engine.build(io.BytesIO(b""), request))


CALLS: dict[str, Callable[[Engine], Any]] = {
    "build": build,
    "push": lambda engine: list(engine.push("r", "t", username="u", password="p")),
    "architecture": lambda engine: engine.architecture("i"),
    "local_digests": lambda engine: engine.local_digests("i"),
    "registry_digest": lambda engine: engine.registry_digest("i"),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("call", CALLS)
def test_an_odd_answer_is_one_sentence(engine: Engine, call: str, body: str) -> None:
    Odd.body = BODIES[body]
    try:
        CALLS[call](engine)
    except DockerError as error:
        assert error.message


@pytest.mark.parametrize("text", ["5", "[", '{"currentContext": 5}', '{"currentContext": "x"}', ""])
def test_an_odd_configuration_of_docker_is_one_sentence(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(text)
    try:
        docker.address({})
    except DockerError as error:
        assert error.message and error.hint
