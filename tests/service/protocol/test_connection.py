"""What a connection does with one request, without a socket: with or without a task, once."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from service import chain
from service.chain import Exchange, Response, Site
from service.errors import FilterError
from service.front.application import Application
from service.front.mounts import Mounted, Release
from service.protocol.connection import Connection
from service.protocol.limits import HEAD_SECONDS, IDLE_SECONDS
from service.protocol.pace import look
from service.protocol.port import Port

GET = b"GET /x?q=1 HTTP/1.1\r\nHost: h\r\n\r\n"


class Wire(asyncio.Transport):
    """Remembers what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.closed:
            raise RuntimeError("the handler is closed")  # uvloop's words
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def connected(handler: chain.Handler) -> tuple[Connection, Wire]:
    mounted = Mounted(Site("", 1), handler)
    application = Application([mounted], Release.of("", version="0", commit="x"), [mounted])
    config = uvicorn.Config(application, ws="none", interface="asgi3", log_config=None)
    wire = Wire()
    connection = Connection(
        Port(application), config, ServerState(), {}, asyncio.get_running_loop()
    )
    connection.connection_made(wire)
    return connection, wire


async def answered(handler: chain.Handler, data: bytes = GET) -> bytes:
    protocol, wire = connected(handler)
    protocol.data_received(data)
    async with asyncio.timeout(5):
        while not wire.written:
            await asyncio.sleep(0)
    protocol.connection_lost(None)
    return wire.written


@pytest.mark.parametrize("wait", [lambda: asyncio.sleep(0.01), chain.own_task, None])
def test_a_request_is_answered_however_its_chain_waits(wait: Callable[[], Any] | None) -> None:
    async def handler(exchange: Exchange) -> Response:
        if wait is not None:
            await wait()
        return Response(200, exchange.request.query_string)

    answer = asyncio.run(answered(handler))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\nq=1")


def test_without_waiting_there_is_no_task_and_after_own_task_there_is() -> None:
    seen: list[asyncio.Task[Any] | None] = []

    async def handler(exchange: Exchange) -> Response:
        seen.append(asyncio.current_task())
        await chain.own_task()
        async with asyncio.timeout(5):
            seen.append(asyncio.current_task())
        return Response(200)

    async def run() -> None:
        protocol, wire = connected(handler)
        # As from a socket: uvloop calls the protocol outside of any task.
        asyncio.get_running_loop().call_soon(protocol.data_received, GET)
        while not wire.written:
            await asyncio.sleep(0)
        protocol.connection_lost(None)

    asyncio.run(run())
    assert seen[0] is None
    assert seen[1] is not None


def test_a_header_stays_one_header() -> None:
    async def handler(exchange: Exchange) -> Response:
        return Response(302, headers=[(b"location", b"/a\r\nset-cookie: x=1")])

    answer = asyncio.run(answered(handler))
    assert b"\r\nlocation: /aset-cookie: x=1\r\n" in answer


def test_a_bug_is_a_500_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(exchange: Exchange) -> Response:
        raise RuntimeError("s3cret")

    answer = asyncio.run(answered(handler))
    assert answer.startswith(b"HTTP/1.1 500 ") and b"s3cret" not in answer
    assert "s3cret" in caplog.text, "the log has the reason when no filter logs"


def test_what_was_refused_after_a_wait_is_answered() -> None:
    async def handler(exchange: Exchange) -> Response:
        await asyncio.sleep(0.001)
        raise FilterError(418, "short and stout", headers=[(b"x-pot", b"tea")])

    answer = asyncio.run(answered(handler))
    assert answer.startswith(b"HTTP/1.1 418 ") and b"\r\nx-pot: tea\r\n" in answer


def test_an_idle_connection_is_closed_and_a_busy_one_is_not() -> None:
    release = asyncio.Event()

    async def handler(exchange: Exchange) -> Response:
        await release.wait()
        return Response(200)

    async def run() -> None:
        connection, wire = connected(handler)
        later = asyncio.get_running_loop().time() + IDLE_SECONDS + 1
        connection.data_received(GET)
        look(connection, later)
        assert not wire.closed
        release.set()
        while not wire.written:
            await asyncio.sleep(0)
        look(connection, later + IDLE_SECONDS - 1)  # idle since its answer, not since its request
        assert not wire.closed
        look(connection, later + IDLE_SECONDS + 1)
        assert wire.closed
        connection.connection_lost(None)

    asyncio.run(run())


def test_a_head_has_to_come_whole_in_time() -> None:
    async def handler(exchange: Exchange) -> Response:
        return Response(200)

    async def run() -> bytes:
        connection, wire = connected(handler)
        connection.data_received(GET[:10])
        begin = asyncio.get_running_loop().time()
        look(connection, begin + HEAD_SECONDS - 1)
        assert wire.written == b""
        connection.data_received(GET[10:11])
        look(connection, begin + HEAD_SECONDS + 1)
        connection.connection_lost(None)
        return wire.written

    assert asyncio.run(run()).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_hangs_up_on_several_requests_is_no_bug_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(exchange: Exchange) -> Response:
        return Response(200)

    async def run() -> None:
        protocol, wire = connected(handler)
        protocol.data_received(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
        tasks = list(protocol.port.uvicorns_state.tasks)
        await asyncio.sleep(0)
        wire.close()
        protocol.connection_lost(None)
        await asyncio.gather(*tasks)
        assert wire.written == b""

    asyncio.run(run())
    assert caplog.records == []


@pytest.mark.parametrize("how", [None, ConnectionResetError()])
@pytest.mark.parametrize("sent", [GET, GET[:-2], b"PUT / HTTP/1.1\r\ncontent-length: 9\r\n\r\na"])
def test_nothing_is_kept_of_a_connection_that_is_gone(how: Exception | None, sent: bytes) -> None:
    async def handler(exchange: Exchange) -> Response:
        return Response(200)

    async def run() -> bool:
        protocol, _ = connected(handler)
        protocol.data_received(sent)
        protocol.connection_lost(how)
        kept = weakref.ref(protocol)
        del protocol
        return kept() is None

    gc.collect()
    gc.disable()  # which looks for rings of references, but not often
    try:
        assert asyncio.run(run())
    finally:
        gc.enable()


def test_sites_of_one_port_are_told_apart_by_host() -> None:
    def site(name: str) -> Mounted:
        async def handler(exchange: Exchange) -> Response:
            return Response(200, name.encode())

        return Mounted(Site(name, 1), handler)

    async def ask(host: bytes) -> Response:
        sites = [site("a.example"), site("::1")]
        application = Application(sites, Release.of("", version="0", commit="x"), sites)
        request = chain.Request("GET", b"/", path="/", headers=[(b"host", host)])
        return await application.answer(request)

    assert asyncio.run(ask(b"A.example:80")).body == b"a.example"
    assert asyncio.run(ask(b"[::1]:80")).body == b"::1"
    assert asyncio.run(ask(b"other")).status == 404


def test_hosts_are_matched_as_v1_does() -> None:
    def site(name: str) -> Mounted:
        async def handler(exchange: Exchange) -> Response:
            return Response(200, name.encode())

        return Mounted(Site(name, 1), handler)

    async def ask(host: bytes, *names: str) -> bytes:
        sites = [site(name) for name in names]
        application = Application(sites, Release.of("", version="0", commit="x"), sites)
        request = chain.Request("GET", b"/", path="/", headers=[(b"host", host)])
        return (await application.answer(request)).body

    names = ("*.example.com", "a.example.com", "*.*.org", "0.0.0.0")
    for host, expected in (
        (b"a.example.com", b"a.example.com"),
        (b"B.example.com:8082", b"*.example.com"),
        (b"x.y.org", b"*.*.org"),
        (b"x.y.z.org", b"0.0.0.0"),
        (b"example.com", b"0.0.0.0"),
        (b"", b"0.0.0.0"),
        (b"." * 60_000, b"0.0.0.0"),
    ):
        assert asyncio.run(ask(host, *names)) == expected


def test_two_hosts_are_refused_where_they_could_mean_two_sites() -> None:
    async def handler(exchange: Exchange) -> Response:
        return Response(200)

    async def ask(*names: str) -> int:
        sites = [Mounted(Site(name, 1), handler) for name in names]
        application = Application(sites, Release.of("", version="0", commit="x"), sites)
        headers = [(b"host", b"a"), (b"host", b"b")]
        request = chain.Request("GET", b"/", path="/", headers=headers)
        return (await application.answer(request)).status

    assert asyncio.run(ask("a", "b")) == 400
    assert asyncio.run(ask("")) == 200


def test_a_load_of_fastapi_that_failed_once_is_made_again() -> None:
    async def run() -> int:
        sites = [Mounted(Site("", 1, tells_status=True), _empty)]
        application = Application(sites, Release.of("", version="0", commit="x"), sites)
        build, statuses = application._build, list[int]()

        def once() -> Any:
            application._build = build
            raise OSError("too many open files")

        async def send(message: dict[str, Any]) -> None:
            statuses.extend([message["status"]] if "status" in message else [])

        application._build = once
        scope = {"type": "http", "method": "GET", "raw_path": b"/openapi.json", "headers": []}
        scope |= {"path": "/openapi.json", "query_string": b"", "root_path": "", "scheme": "http"}
        with pytest.raises(OSError, match="too many"):
            await application(scope, _nothing, send)
        await application(scope, _nothing, send)
        return statuses[0]

    assert asyncio.run(run()) == 200


async def _empty(exchange: Exchange) -> Response:
    return Response(200)


async def _nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b""}
