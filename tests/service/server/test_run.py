"""`python -m service run` by real HTTP against real processes and a real Redis."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from service.chain import Site
from service.front.mounts import Mounted
from service.server.run import shut_down
from tests.service.processes import ENTITY, Service, command, running
from tests.service.redis_server import Redis

HEALTH = ":80 {\n redir / /health.txt\n}\n"
ENTITIES = ":8082 {\n transformrequest {\n  scope off\n }\n redis ADDRESS\n transformresponse\n}\n"


def caddyfile(redis: Redis) -> str:
    return HEALTH + ENTITIES.replace("ADDRESS", redis.address)


@pytest.fixture(scope="module")
def service(redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("run"), caddyfile(redis)) as one:
        yield one


def exchange(service: Service, data: bytes) -> bytes:
    """Everything that is answered to these bytes until the service closes or falls silent."""
    with closing(socket.create_connection(("127.0.0.1", service.ports[8082]), 5)) as connection:
        connection.sendall(data)
        connection.settimeout(0.5)
        answered = b""
        try:
            while received := connection.recv(65536):
                answered += received
        except (TimeoutError, ConnectionResetError):
            pass
        return answered


def test_an_entity_lives_by_http(service: Service) -> None:
    key = ENTITY + "life"
    assert service.request("DELETE", key)[0] == 204
    assert service.request("GET", key)[0] == 404
    assert service.request("PUT", key + "?a=1&l=[x,,y,]")[0] == 201
    assert service.request("POST", key + "?a=$INCR&l=$PREPEND[w]")[0] == 204
    assert service.request("POST", key + "?a=$INCR&l=$INCR")[0] == 409
    status, body, headers = service.request("GET", key)
    assert (status, headers["content-type"]) == (200, "application/json")
    entity = orjson.loads(body)
    assert entity["attributes"] == {"a": "2", "l": ["w", "x", "", "y", ""]}
    head_status, head, head_headers = service.request("HEAD", key)
    assert (head_status, head, head_headers["content-length"]) == (200, b"", str(len(body)))
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert service.request("PUT", key, "a=from+a%20form", headers=form)[0] == 204
    batch = orjson.loads(service.request("GET", key + ",none?fields=a")[1])
    assert [one["attributes"] for one in batch["entities"]] == [{"a": "from a form"}]
    assert batch["missing"] == ["none"]


def test_failures_are_problems_with_the_request_id(service: Service) -> None:
    status, body, headers = service.request("GET", "/nothing", headers={"x-request-id": "mine-1"})
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert headers["x-request-id"] == "mine-1"
    assert orjson.loads(body) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "missing path parameters",
        "request_id": "mine-1",
    }
    other = service.request("GET", "/", headers={"x-request-id": "not sane"})[2]["x-request-id"]
    assert other != "not sane"
    status, _, headers = service.request("PATCH", ENTITY + "k")
    assert (status, headers["allow"]) == (405, "GET, HEAD, PUT, POST, DELETE, OPTIONS")
    assert service.request("OPTIONS", ENTITY + "k")[0] == 204
    assert exchange(service, b"OPTIONS * HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 204 ")


def test_health_and_status_are_on_the_redirecting_site(service: Service) -> None:
    assert service.request("GET", "/health.txt", port=80)[:2] == (200, b"ok")
    assert service.request("GET", "/", port=80)[2]["location"] == "/health.txt"
    status, body, _ = service.request("GET", "/status", port=80)
    answer = orjson.loads(body)
    assert (status, answer["pid"]) == (200, service.process.pid)
    assert answer["sites"][":8082"]["redis"]["state"] == "up"
    assert len(answer["caddyfile_sha256"]) == 64
    assert service.request("POST", "/status", port=80)[0] == 405
    assert service.request("GET", "/status")[0] == 400, "not where the clients are"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 600_000, 431),
        (b"POST / HTTP/1.1\r\ncontent-length: 2000000\r\n\r\n" + b"a" * 1_100_000, 413),
        (b"GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 400),
        (b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\nmore", 400),
        (b"CONNECT %b HTTP/1.1\r\nhost: x\r\n\r\nmore" % ENTITY.encode(), 400),
        (b"CONNECT h:1 HTTP/1.1\r\nhost: h:1\r\n\r\n", 400),
        (b"CONNECT http://h/x HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", 400),
        (b"CONNECT * HTTP/1.1\r\ncontent-length: 3\r\n\r\na=1", 400),
    ],
)
def test_bad_requests_are_answered_and_never_with_a_5xx(
    service: Service, data: bytes, status: int
) -> None:
    answered = exchange(service, data)
    assert answered.startswith(b"HTTP/1.1 %d " % status), answered[:200]
    assert b"problem+json" in answered


def test_a_body_is_too_large_also_when_it_waited_to_be_asked_for(service: Service) -> None:
    head = b"PUT " + ENTITY.encode() + b"big HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
    answered = exchange(service, head + b"content-length: 2000000\r\n\r\na=" + b"a" * 1_100_000)
    assert answered.startswith(b"HTTP/1.1 413 "), "nobody asks for what will be refused"
    assert service.request("GET", ENTITY + "big")[0] == 404


def test_half_of_a_write_is_not_done_when_its_client_leaves(service: Service) -> None:
    head = b"PUT " + ENTITY.encode() + b"half HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
    head += b"content-type: application/x-www-form-urlencoded\r\ncontent-length: 20\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", service.ports[8082]), 5)) as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"name=Ann")
    assert exchange(service, b"GET /x HTTP/1.0\r\n\r\n"), "the service has gone on meanwhile"
    assert service.request("GET", ENTITY + "half")[0] == 404


def test_pipelined_requests_are_answered_in_order(service: Service) -> None:
    get = b"GET %b HTTP/1.1\r\nhost: x\r\nx-request-id: %b\r\n\r\n"
    paths = [b"/a", ENTITY.encode() + b"none", b"/openapi.json", b"/b", b"/openapi.json", b"/c"]
    data = b"".join(get % (path, b"%d" % i) for i, path in enumerate(paths))
    answered = exchange(service, data)
    ids = [line[-1:] for line in answered.split(b"\r\n") if line.startswith(b"x-request-id")]
    assert ids == [b"0", b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (b"GET /" + b"a" * 66_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414),
        (b"PUT / HTTP/1.1\r\ncontent-length: 1048580\r\n\r\n" + b"a" * 1_048_580, 413),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
    ],
)
def test_what_follows_the_last_answer_is_not_done(
    service: Service, refused: bytes, status: int
) -> None:
    service.request("DELETE", ENTITY + "after")
    follows = b"PUT " + ENTITY.encode() + b"after HTTP/1.1\r\nhost: x\r\n\r\n"
    answered = exchange(service, refused + follows)
    assert answered.startswith(b"HTTP/1.1 %d " % status) and answered.count(b"HTTP/1.1 ") == 1
    assert service.request("GET", ENTITY + "after")[0] == 404


def test_what_asks_for_an_upgrade_is_answered_as_it_is_and_so_is_what_follows(
    service: Service,
) -> None:
    put = b"PUT " + ENTITY.encode() + b"%b HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n"
    put += b"content-type: application/x-www-form-urlencoded\r\nupgrade: %b\r\n"
    data = put % (b"up1", b"h2c") + b"content-length: 3\r\n\r\na=1"
    data += (
        put % (b"up2", b"websocket") + b"transfer-encoding: chunked\r\n\r\n3\r\nb=2\r\n0\r\n\r\n"
    )
    get = b"GET " + ENTITY.encode() + b"up1,up2 HTTP/1.1\r\nhost: x\r\n"
    data += get + b"connection: close, upgrade\r\nupgrade: h2c\r\n\r\n"
    for pieces in ([data], [data[:200], data[200:]], [data[i : i + 1] for i in range(len(data))]):
        with closing(socket.create_connection(("127.0.0.1", service.ports[8082]), 5)) as connection:
            for piece in pieces:
                connection.sendall(piece)
            answered = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answered.count(b"HTTP/1.1 20") == 3
        answer = orjson.loads(answered.rpartition(b"\r\n\r\n")[2])
        assert [one["attributes"] for one in answer["entities"]] == [{"a": "1"}, {"b": "2"}]


def test_a_body_may_come_in_chunks_or_after_a_hundred(service: Service) -> None:
    head = b"PUT " + ENTITY.encode() + b"chunks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    head += b"content-type: application/x-www-form-urlencoded\r\n"
    chunked = head + b"transfer-encoding: chunked\r\n\r\n3\r\na=1\r\n3\r\n234\r\n0\r\n\r\n"
    assert exchange(service, chunked).startswith(b"HTTP/1.1 20")
    assert orjson.loads(service.request("GET", ENTITY + "chunks")[1])["attributes"] == {"a": "1234"}
    expecting = head + b"content-length: 3\r\nexpect: 100-continue\r\n\r\na=9"
    assert b"HTTP/1.1 204" in exchange(service, expecting)
    assert orjson.loads(service.request("GET", ENTITY + "chunks")[1])["attributes"] == {"a": "9"}


@pytest.mark.parametrize("first", ["/health.txt", "/status"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_request_is_answered_once_however_the_next_one_comes(
    service: Service, first: str, at_once: bool
) -> None:
    # The head of the one before was handed to uvicorn's class together with that of the next.
    one, two = (f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in (first, "/status"))
    pieces = [one + two] if at_once else [one, two[:20], two[20:]]
    with closing(socket.create_connection(("127.0.0.1", service.ports[80]), 5)) as connection:
        connection.settimeout(0.5)
        answered = b""
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)
        try:
            while received := connection.recv(65536):
                answered += received
        except TimeoutError:
            pass
    assert answered.count(b"HTTP/1.1 200") == 2


async def _client(port: int, path: str, stop: asyncio.Event, lost: list[str]) -> int:
    """Requests one after another over one connection as long as it lives."""
    answered = 0
    request = f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
    while not stop.is_set():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return answered  # nobody listens any more
        try:
            keep_alive = True
            while keep_alive and not stop.is_set():
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                answered += 1
                keep_alive = b"connection: close" not in head
        except (OSError, asyncio.IncompleteReadError) as error:
            lost.append(repr(error))
        finally:
            writer.close()
    return answered


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_under_load_loses_no_request(redis: Redis, tmp_path: Path, workers: str) -> None:
    lost: list[str] = []

    async def load(service: Service) -> int:
        stop = asyncio.Event()
        port = service.ports[8082]
        clients = [
            asyncio.create_task(_client(port, ENTITY + "load", stop, lost)) for _ in range(32)
        ]
        await asyncio.sleep(1.0)
        service.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(service.process.wait, 20)
        stop.set()
        return sum(await asyncio.gather(*clients))

    with running(tmp_path, caddyfile(redis), "--workers", workers) as service:
        service.request("PUT", ENTITY + "load?a=1")
        assert asyncio.run(load(service)) > 100
        assert service.process.returncode == 0
    assert lost == []


def test_a_worker_that_dies_is_replaced(redis: Redis, tmp_path: Path) -> None:
    def pids(service: Service, wanted: int) -> set[int]:
        seen: set[int] = set()
        deadline = time.monotonic() + 20
        while len(seen) < wanted and time.monotonic() < deadline:
            seen.add(orjson.loads(service.request("GET", "/status", port=80)[1])["pid"])
        return seen

    with running(tmp_path, caddyfile(redis), "--workers", "2") as service:
        before = pids(service, 2)
        os.kill(min(before), signal.SIGKILL)
        time.sleep(1)
        after = pids(service, 2)
        assert len(before) == len(after) == 2
        assert len(before & after) == 1
        assert service.stop() == 0


def test_a_port_that_is_taken_is_one_sentence(redis: Redis, tmp_path: Path) -> None:
    (tmp_path / "Caddyfile").write_text(caddyfile(redis))
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        listen = {"SERVICE_LISTEN": f"80={address}, 8082=127.0.0.1:0"}
        done = subprocess.run(
            command(tmp_path / "Caddyfile"),
            capture_output=True,
            text=True,
            timeout=20,
            env={**os.environ, **listen},
        )
    assert done.returncode == 1
    assert done.stderr == f"cannot listen on {address}: Address already in use\n"


@pytest.mark.parametrize("options", [["--workers", "2"], []])
def test_a_service_that_cannot_start_says_why_and_does_not_try_for_ever(
    tmp_path: Path, options: list[str]
) -> None:
    (tmp_path / "Caddyfile").write_text(":8082\nredis x {\n password nobody\n}\n")
    done = subprocess.run(
        command(tmp_path / "Caddyfile", "--listen", "8082=127.0.0.1:0", *options),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 1
    assert "redis: the secrets have no text named nobody" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "listen", ["8082", "8082=x", "8082=127.0.0.1:99999", "81=127.0.0.1:0", "=:1"]
)
def test_a_wrong_listen_is_told(redis: Redis, tmp_path: Path, listen: str) -> None:
    (tmp_path / "Caddyfile").write_text(caddyfile(redis))
    done = subprocess.run(
        command(tmp_path / "Caddyfile", "--listen", listen),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_a_part_that_fails_at_the_end_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    async def logs() -> None:
        ended.append("logs sent")

    async def store() -> None:
        raise OSError("gone")

    async def unused(request: object) -> None:
        raise AssertionError

    site = Site("", 80, shutdown=[logs, store])
    asyncio.run(shut_down([Mounted(site, cast(Any, unused))]))
    assert ended == ["logs sent"]
    assert "port 80: a part did not shut down cleanly" in caplog.text
