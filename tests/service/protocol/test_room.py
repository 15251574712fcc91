"""What all connections hold together is bounded, and those give way who hold it longest."""

import asyncio
import os
import resource
import socket
import time
import tracemalloc
from collections.abc import Awaitable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import uvloop

from service.chain import Exchange, Response, Site
from service.front.mounts import Mounted
from service.protocol.room import BUFFER_LIMIT, CONNECTIONS_LIMIT, Room, address_of
from tests.service.processes import ENTITY, Service, running
from tests.service.protocol.served import connection, exchange, served

KEY = ENTITY.encode()
FORM = b"content-type: application/x-www-form-urlencoded\r\n"
BODY = FORM + b"content-length: 1000000\r\n"
GET = b"GET " + KEY + b"k HTTP/1.1\r\nhost: x\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n"


def run(work: Awaitable[Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(60):
            return await work

    return uvloop.run(bounded())


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("::ffff:192.0.2.1", 5, 0, 0), "::ffff:192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 5, 0, 0), "2001:db8:1:2::"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::"),
        ("", ""),
        (None, ""),
    ],
)
def test_an_ipv6_network_is_one_client(peer: Any, address: str) -> None:
    assert address_of(peer) == address


def test_the_silent_of_the_address_with_the_most_connections_give_way() -> None:
    async def work() -> list[str]:
        room = Room(connections=6)
        names = ["many", "few", "many", "many", "few", "many"]
        opened = [connection(room, name) for name in names]
        for number, (one, _, now) in enumerate(opened):
            one.heard = now + number
        opened[0][0].data_received(b"PUT " + KEY + b"k HTTP/1.1\r\n" + BODY + b"\r\n")  # busy
        opened += [connection(room, "new"), connection(room, "new")]
        assert room.connections == 6
        return [wire.ended for _, wire, _ in opened]

    assert asyncio.run(work()) == ["", "", "aborted", "aborted", "", "", "", ""]


def test_when_all_are_being_answered_the_newcomer_gives_way() -> None:
    async def work() -> list[str]:
        room = Room(connections=2)
        opened = [connection(room, name) for name in ("a", "a")]
        for one, _, _ in opened:
            one.data_received(b"PUT " + KEY + b"k HTTP/1.1\r\n" + BODY + b"\r\n")
        opened.append(connection(room, "b"))
        return [wire.ended for _, wire, _ in opened]

    assert asyncio.run(work()) == ["", "", "aborted"]


def test_no_more_connections_are_taken_than_files_can_be_opened(tmp_path: Path) -> None:
    text = ":80 {\n redir / /health.txt\n}\n:8082 {\n redis x testing\n}\n"
    files = 300

    def few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    with running(tmp_path, text, before=few_files) as service, ExitStack() as stack:
        for _ in range(2 * files):
            address = ("127.0.0.1", service.ports[8082])
            stack.enter_context(closing(socket.create_connection(address, 5)))
        # The load balancer still finds it well, and so would a new connection to Redis be made.
        assert service.request("GET", "/health.txt", port=80)[0] == 200
        assert len(os.listdir(f"/proc/{service.process.pid}/fd")) < files - 50


HELD = {
    "half a head": b"GET / HTTP/1.1\r\na: " + b"x" * 60_000,
    "a body": b"PUT " + KEY + b"k HTTP/1.1\r\n" + BODY + b"\r\na=" + b"x" * 60_000,
    "a body that was asked for": b"PUT "
    + KEY
    + b"k HTTP/1.1\r\nexpect: 100-continue\r\n"
    + BODY
    + b"\r\na="
    + b"x" * 60_000,
}


@pytest.mark.parametrize("name", HELD)
def test_the_oldest_gives_way_and_nobody_who_is_in_time(name: str) -> None:
    async def work() -> tuple[int, int, int, list[bytes], bytes]:
        room = Room(buffers=1_000_000)
        async with served(room=room) as (port, _):
            opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
            for _, writer in opened:
                writer.write(HELD[name])
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.2)
            held = room.held
            answered = [await _what_came(reader) for reader, _ in opened]
            put = b"PUT " + KEY + b"k HTTP/1.1\r\n" + FORM + b"content-length: 30000\r\n\r\n"
            served_now = await exchange(port, [put, b"a=" + b"x" * 29_998])
            for _, writer in opened:
                writer.transport.abort()
            await asyncio.sleep(0.1)
            return held, room.held, room.connections, answered, served_now

    held, after, left, answered, served_now = run(work())
    assert 900_000 < held <= 1_000_000
    assert (after, left) == (0, 0)
    refused = [b"HTTP/1.1 503 " in one for one in answered]
    assert refused == sorted(refused, reverse=True) and any(refused), "the oldest first"
    assert served_now.startswith(b"HTTP/1.1 201 ")


def test_a_whole_request_that_gives_way_is_answered_once_and_not_carried_out() -> None:
    async def work() -> tuple[bytes, int]:
        only, wire, _ = connection(Room(buffers=6_000))
        put = b"PUT " + KEY + b"k HTTP/1.1\r\n" + FORM + b"content-length: 7000\r\n\r\n"
        only.data_received(put + b"a=" + b"x" * 6_998)
        await asyncio.sleep(0.01)
        return wire.written, only.port.room.held

    answered, held = asyncio.run(work())
    assert answered.startswith(b"HTTP/1.1 503 ") and answered.count(b"HTTP/1.1") == 1
    assert held == 0


async def _what_came(reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(0.02):
            return await reader.read(10_000)
    except TimeoutError:
        return b""


def test_what_comes_after_a_request_that_waits_gives_way_and_its_answer_does_not() -> None:
    release = asyncio.Event()

    async def handler(exchange: Exchange) -> Response:
        await release.wait()
        return Response(200, b"done")

    async def work() -> tuple[int, list[bytes]]:
        room = Room(buffers=1_000_000)
        async with served([Mounted(Site("", 1), handler)], room=room) as (port, _):
            opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
            for _, writer in opened:
                writer.write(b"GET / HTTP/1.1\r\n\r\n" * 10_000)
            await asyncio.sleep(0.3)
            held = room.held
            release.set()
            answered = []
            for reader, writer in opened:
                answered.append(await reader.read(100_000))
                writer.transport.abort()
            return held, answered

    held, answered = run(work())
    assert held <= 1_000_000
    assert all(one.startswith(b"HTTP/1.1 200 ") for one in answered)
    assert any(b"connection: close" in one for one in answered)


@pytest.mark.parametrize("name", ["a refusal", "a last answer"])
def test_a_client_that_may_still_send_holds_nothing_of_what_it_sent(name: str) -> None:
    async def work() -> int:
        opened = [connection() for _ in range(20)]
        tracemalloc.start()
        for one, _, _ in opened:
            if name == "a refusal":
                one.data_received(b"GET /" + b"a" * 200_000)
            else:
                head = FORM + b"connection: close\r\ncontent-length: 200000\r\n\r\na="
                one.data_received(b"GET " + KEY + b"k HTTP/1.1\r\n" + head + b"x" * 199_998)
            assert one.lingering
        return tracemalloc.get_traced_memory()[0]

    try:
        held = asyncio.run(work())
    finally:
        tracemalloc.stop()
    assert held < 600_000  # of 4,000,000


def test_an_answer_that_grows_while_nobody_reads_is_counted() -> None:
    async def work() -> list[str]:
        room = Room(buffers=1_000_000)
        opened = [connection(room) for _ in range(3)]
        for one, wire, _ in opened:
            one.write(b"x" * 100_000)
            one.pause_writing()
            wire.read += 10
        for one, _, _ in opened:
            one.write(b"x" * 400_000)
        return [wire.ended for _, wire, _ in opened]

    assert asyncio.run(work()) == ["aborted", "", ""]


def test_a_client_that_has_its_last_answer_and_leaves_holds_nothing_any_more(
    tmp_path: Path,
) -> None:
    text = ":8082 {\n redir /old /new\n}\n"
    requests = [b"GET /old HTTP/1.1\r\nconnection: close\r\n\r\n"]
    requests += [b"OPTIONS * HTTP/1.1\r\nconnection: close\r\n\r\n", b"bad\r\n\r\n"]
    with running(tmp_path, text) as service:
        before = _files(service)
        for data in requests * 20:
            with closing(_connected(service)) as client:
                client.sendall(data)
                while client.recv(65_536):
                    pass
        deadline = time.monotonic() + 2
        while _files(service) > before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _files(service) < before + 10  # of 60; it opens one or two of its own once it serves


def test_a_last_answer_is_read_by_a_client_that_goes_on_sending() -> None:
    async def handler(exchange: Exchange) -> Response:
        await asyncio.sleep(0.05)
        return Response(200, b"last")

    def client(port: int) -> bytes:
        with closing(socket.create_connection(("127.0.0.1", port), 10)) as one:
            one.sendall(CLOSE + b"x" * 8_000_000)
            return b"".join(iter(lambda: one.recv(65_536), b""))

    async def work() -> bytes:
        async with served([Mounted(Site("", 1), handler)]) as (port, _):
            return await asyncio.to_thread(client, port)

    assert run(work()).endswith(b"\r\n\r\nlast")


def _connected(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.ports[8082]), 10)


def _files(service: Service) -> int:
    return len(os.listdir(f"/proc/{service.process.pid}/fd"))


def test_the_limits_fit_into_a_small_task() -> None:
    bytes_of_a_connection = 10_000
    assert CONNECTIONS_LIMIT * bytes_of_a_connection + 2 * BUFFER_LIMIT < 220 * 2**20
