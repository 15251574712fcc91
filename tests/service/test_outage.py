"""Redis dies or falls silent and comes back under load: a real process with fallback, by HTTP."""

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.service.processes import ENTITY, Service, running
from tests.service.redis_server import Redis
from tests.service.server.test_run import caddyfile
from tests.service.stores.test_redis import StartRedis

CLIENTS = 8
TIMEOUT = 0.5  # more than the default, so that a busy machine is not taken for a silent Redis

# What a client sends about its own entity, and the statuses that are documented for it. While
# Redis is away the map does not know what it was not given, and says so.
STEPS = (
    ("PUT", "{own}?a=1&own={number}", (201, 204)),
    ("GET", "{own}", (200, 404, 503)),
    ("POST", "{own}?a=$INCR", (204, 503)),
    ("GET", "{own},nobody?fields=own", (200, 503)),
    ("POST", "{own}?l=$APPEND[x,y]&own={number}", (204, 503)),
    ("GET", "{own}?fields=own", (200, 404, 503)),
    ("DELETE", "{own}", (204,)),
)


def with_fallback(redis: Redis) -> str:
    options = f"fallback {{\n  timeout {TIMEOUT * 1000:.0f}ms\n }}"
    return caddyfile(redis).replace(redis.address, f"{redis.address} {options}")


@dataclass
class Load:
    port: int
    stop: bool = False
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)

    async def client(self, number: int) -> None:
        """One connection for all: one that is reset is an exception, and so fails the test."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        own = f"{ENTITY}client{number}"
        with closing(writer):
            while not self.stop:
                for method, target, expected in STEPS:
                    begin = time.perf_counter()
                    path = target.format(own=own, number=number)
                    writer.write(f"{method} {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
                    status, body = await _response(reader)
                    self.seconds.append(time.perf_counter() - begin)
                    assert status in expected, (method, status, body)
                    if method == "GET" and status != 503:
                        _check(orjson.loads(body), number, status)
                    self.statuses[method, status] += 1

    async def pass_by(self, count: int) -> list[float]:
        """What the next so many requests take."""
        begin = len(self.seconds)
        while len(self.seconds) < begin + count:
            await asyncio.sleep(0.01)
        return self.seconds[begin:]


async def _response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return int(head.split()[1]), await reader.readexactly(int(length[1])) if length else b""


def _check(answer: dict[str, Any], number: int, status: int) -> None:
    """The documented shape, and nobody else's answer."""
    if status == 404:
        assert answer["detail"] == "there is no such entity"
        return
    for entity in answer.get("entities", [answer] if "missing" not in answer else []):
        assert entity["key"] == f"client{number}"
        assert entity["attributes"].get("own", str(number)) == str(number)
    assert answer.get("missing", ["nobody"])[-1] == "nobody"


@asynccontextmanager
async def under_load(service: Service) -> AsyncIterator[Load]:
    load = Load(service.ports[8082])
    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(load.client(number))
        await load.pass_by(200)
        yield load
        load.stop = True


async def until_back(service: Service) -> dict[str, Any]:
    while True:
        answer = orjson.loads(
            (await asyncio.to_thread(service.request, "GET", "/status", port=80))[1]
        )
        redis: dict[str, Any] = answer["sites"][":8082"]["redis"]
        if redis["state"] == "up" and not redis["fallback"]["serving"]:
            return redis
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("dies", [True, False])
def test_clients_go_on_reading_and_writing_what_they_wrote_while_redis_is_away(
    redis_of_one_test: StartRedis, tmp_path: Path, dies: bool
) -> None:
    redis = redis_of_one_test()

    def go() -> None:
        redis.process.send_signal(signal.SIGKILL if dies else signal.SIGSTOP)

    def come_back() -> None:
        if dies:
            redis.process.wait(10)
            redis_of_one_test(port=redis.port)
        else:
            redis.process.send_signal(signal.SIGCONT)

    with running(tmp_path, with_fallback(redis)) as service:
        answer, seconds = asyncio.run(_outage(service, go, come_back))
        assert service.stop() == 0
    # One who waited for a silent Redis each time would take the whole timeout each time.
    assert sum(each > TIMEOUT for each in seconds) < len(seconds) / 10
    assert answer["losses"] == 1
    switches = [line for line in service.said if "service.stores.fallback" in line]
    assert len(switches) == 3, switches
    assert "the process ends and takes along" in switches[2]
    counts = f"the map served {answer['fallback']['served']} commands; {CLIENTS} entities"
    assert "serving from the map" in switches[0] and counts in switches[1]
    assert "Traceback" not in "\n".join(service.said)


async def _outage(
    service: Service, go: Callable[[], None], come_back: Callable[[], None]
) -> tuple[dict[str, Any], list[float]]:
    async with under_load(service) as load:
        go()
        seconds = await load.pass_by(1000)
        await asyncio.to_thread(come_back)
        answer = await until_back(service)
        await load.pass_by(200)
    assert {method for method, _ in load.statuses} == {"PUT", "GET", "POST", "DELETE"}
    return answer, seconds


def test_what_was_written_meanwhile_can_be_sent_again(
    redis_of_one_test: StartRedis, tmp_path: Path
) -> None:
    redis = redis_of_one_test()

    def state(service: Service) -> list[Any]:
        answer = orjson.loads(service.request("GET", ENTITY + "a,b,c%2Cd")[1])
        return [[one["attributes"] for one in answer["entities"]], answer["missing"]]

    with running(tmp_path, with_fallback(redis)) as service:
        redis.process.kill()
        redis.process.wait(10)
        for method, target in (
            ("PUT", "a?name=Ann+B&tags=[new,,x%2Cy]"),
            ("POST", "a?visits=$INCR&tags=$PREPEND[%5Bz]&name=$DELETE"),
            ("PUT", "b?x=1"),
            ("DELETE", "b"),
            ("PUT", "c%2Cd?text=%24INCR"),
        ):
            assert service.request(method, ENTITY + target)[0] < 300
        entities = [
            orjson.loads(service.request("GET", ENTITY + key)[1])["attributes"]
            for key in ("a", "c%2Cd")
        ]
        assert service.request("GET", ENTITY + "b")[0] == 404
        assert service.request("GET", ENTITY + "never-seen")[0] == 503
        redis_of_one_test(port=redis.port)
        asyncio.run(asyncio.wait_for(_served_by_redis(service), 30))
        assert state(service) == [[], ["a", "b", "c,d"]]
        answer = orjson.loads(service.request("GET", "/status/fallback", port=80)[1])
        assert answer["pid"] == service.process.pid
        for row in answer["sites"][":8082"]:
            form = {"content-type": "application/x-www-form-urlencoded"}
            path = ENTITY + row["key"].split(":")[3]
            assert service.request(row["method"], path, row.get("form", ""), headers=form)[0] < 300
        assert state(service) == [entities, ["b"]]


def test_without_fallback_it_is_a_503_until_redis_is_back(
    redis_of_one_test: StartRedis, tmp_path: Path
) -> None:
    redis = redis_of_one_test()
    with running(tmp_path, caddyfile(redis)) as service:
        assert service.request("PUT", ENTITY + "a?x=1")[0] == 201
        redis.process.kill()
        redis.process.wait(10)
        for method in ("GET", "PUT", "POST", "DELETE"):
            status, body, headers = service.request(method, ENTITY + "a?x=2")
            assert (status, headers["retry-after"]) == (503, "1")
            assert orjson.loads(body)["detail"] == "the store cannot be reached"
        redis_of_one_test(port=redis.port)
        deadline = time.monotonic() + 30
        while service.request("PUT", ENTITY + "a?x=3")[0] == 503:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert b'"x":"3"' in service.request("GET", ENTITY + "a")[1]


async def _served_by_redis(service: Service) -> None:
    while True:
        await asyncio.to_thread(service.request, "GET", ENTITY + "nobody")
        answer = orjson.loads(
            (await asyncio.to_thread(service.request, "GET", "/status", port=80))[1]
        )
        if not answer["sites"][":8082"]["redis"]["fallback"]["serving"]:
            return
        await asyncio.sleep(0.05)
