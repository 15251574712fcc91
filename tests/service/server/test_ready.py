"""No port accepts before everything is settled, and SIGTERM is heard from the first moment."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.service.processes import ENTITY, command, running
from tests.service.redis_server import Redis
from tests.service.server.test_run import caddyfile


@contextmanager
def silent_aws(folder: Path) -> Iterator[dict[str, str]]:
    """Accepts, and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield {
            **os.environ,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{listening.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


SECRETS = ":8082\nsecrets secrets.yml\ntransformrequest\nredis x testing\ntransformresponse\n"
LOGS = ":8082\nawscloudwatch error GROUP root- 10\ntransformrequest\nredis x testing\n"


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("text", [SECRETS, LOGS], ids=["secrets", "logs"])
def test_while_aws_is_silent_no_port_accepts_and_a_stop_is_at_once(
    tmp_path: Path, text: str, workers: str
) -> None:
    (tmp_path / "Caddyfile").write_text(text)
    (tmp_path / "secrets.yml").write_text("refresh_token: ssm:/token\n")
    port = free_port()
    listen = ["--listen", f"8082=127.0.0.1:{port}", "--workers", workers]
    with silent_aws(tmp_path) as environment:
        process = subprocess.Popen(
            command(Path("Caddyfile"), *listen),
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        try:
            deadline = time.monotonic() + 1.5
            while time.monotonic() < deadline:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                time.sleep(0.1)
            assert process.poll() is None
            begin = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=20)
            took = time.monotonic() - begin
        finally:
            process.kill()
            process.communicate()
    assert (process.returncode, "Traceback" in said, "serving" in said) == (0, False, False), said
    assert took < 3  # it was 29


def held_back() -> None:
    """As `env --block-signal=TERM,INT` of the image does."""
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_at_any_moment_of_the_start_is_no_failure(
    redis: Redis, tmp_path: Path, workers: str, number: signal.Signals
) -> None:
    (tmp_path / "Caddyfile").write_text(caddyfile(redis))
    options = ["--listen", "8082=127.0.0.1:0", "--listen", "80=127.0.0.1:0", "--workers", workers]
    for tenths in (0, 1, 3, 6):
        process = subprocess.Popen(
            command(tmp_path / "Caddyfile", *options),
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=held_back,
        )
        time.sleep(tenths / 10)
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
        assert (process.returncode, "Traceback" in said) == (0, False), (tenths, said)


def test_hardly_anything_is_loaded_before_a_stop_is_heard() -> None:
    text = "import sys, service.__main__; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert not {"argparse", "asyncio", "importlib.metadata", "re"} & {*said.stdout.split()}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_who_stops_it_again_and_again_stops_it_all_the_same(tmp_path: Path, workers: str) -> None:
    (tmp_path / "Caddyfile").write_text(":8082 {\n redir / /health.txt\n}\n")
    options = ["--listen", "8082=127.0.0.1:0", "--workers", workers]
    process = subprocess.Popen(
        command(tmp_path / "Caddyfile", *options), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None and process.stderr.readline().startswith("serving ")
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.001)
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (0, "")


# A program that gets a stop signal exactly when the event loop's method MOMENT begins.
_STOPPED_AT = """
import os, signal, sys, uvloop
from service.__main__ import main
class Loop(uvloop.Loop):
    def MOMENT(self, *arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return super().MOMENT(*arguments, **options)
uvloop.new_event_loop = Loop
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "moment", ["create_task", "run_until_complete", "run_forever", "add_signal_handler"]
)
def test_a_stop_at_any_moment_of_the_event_loop_ends_it_without_a_word(
    tmp_path: Path, moment: str
) -> None:
    (tmp_path / "Caddyfile").write_text(":8082 {\n redir / /health.txt\n}\n")
    program = [sys.executable, "-c", _STOPPED_AT.replace("MOMENT", moment), "run"]
    options = ["--config", str(tmp_path / "Caddyfile"), "--listen", "8082=127.0.0.1:0"]
    ended = subprocess.run([*program, *options], capture_output=True, text=True, timeout=20)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_client_that_drips_does_not_hold_up_a_stop(redis: Redis, tmp_path: Path) -> None:
    with running(tmp_path, caddyfile(redis)) as service:
        address = ("127.0.0.1", service.ports[8082])
        with (
            closing(socket.create_connection(address)) as head,
            closing(socket.create_connection(address)) as body,
        ):
            head.sendall(b"GET / HTTP/1.1\r\nhost: ")
            body.sendall(b"PUT " + ENTITY.encode() + b"k HTTP/1.1\r\ncontent-length: 9\r\n\r\na")
            time.sleep(0.2)
            begin = time.monotonic()
            assert service.stop() == 0
    assert time.monotonic() - begin < 10  # it was 26


FACING = """
:80 {
 redir / /health.txt
}
:8082 {
 redir /old /new
 transformrequest {
  scope off
 }
 redis 127.0.0.1:1 fallback
 transformresponse
}
"""


def test_status_is_on_the_site_of_the_load_balancers_check_only(tmp_path: Path) -> None:
    with running(tmp_path, FACING) as service:
        assert service.request("PUT", ENTITY + "k?a=secret")[0] == 204
        for path in ("/status", "/status/fallback"):
            status, body, _ = service.request("GET", path)
            assert status == 400 and b"secret" not in body
        assert service.request("GET", "/status", port=80)[0] == 200
        assert b"secret" in service.request("GET", "/status/fallback", port=80)[1]
        for proxied in ("x-forwarded-for", "forwarded", "x-real-ip", "via"):
            headers = {proxied: "198.51.100.7"}
            status, body, _ = service.request("GET", "/status/fallback", port=80, headers=headers)
            assert status == 403 and b"secret" not in body
        assert service.stop() == 0
    opened = FACING.replace("fallback\n", "fallback {\n  writes open\n }\n")
    with running(tmp_path, opened) as service:
        assert service.request("PUT", ENTITY + "k?a=secret")[0] == 204
        headers = {"x-forwarded-for": "198.51.100.7"}
        answered = service.request("GET", "/status/fallback", port=80, headers=headers)
        assert answered[0] == 200 and b"secret" in answered[1]
