"""HTTP for uvicorn, with a short way for requests that the filter chain answers.

Such a request needs no ASGI scope, messages or cycle: it is parsed, run down the chain in a task
and written in one piece, at about the cost that uvicorn's own part has for an empty application.
Everything rare (pipelining, `Expect`, FastAPI's paths, a client that does not read) takes
uvicorn's ASGI way, which leads to the same chain. The parts of uvicorn's class that this relies on
are pinned by tests/service/test_protocol.py.
"""

import asyncio
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.chain import Request, Response
from service.front import Application
from service.problems import problem

HEAD_LIMIT = 65_536
BODY_LIMIT = 1_048_576

_NO_BODY = (204, 304)


class _Message:
    """Stands where a cycle has an event: nobody waits on the short way."""

    def set(self) -> None:
        pass


class Turn:
    """One request on the short way, in the place of uvicorn's RequestResponseCycle."""

    __slots__ = (
        "body",
        "disconnected",
        "keep_alive",
        "message_event",
        "more_body",
        "request",
        "response_complete",
        "task",
    )
    _MESSAGE = _Message()

    def __init__(self, request: Request, keep_alive: bool) -> None:
        self.request = request
        self.keep_alive = keep_alive
        self.body = b""
        self.more_body = True
        self.response_complete = False
        self.disconnected = False
        self.message_event = self._MESSAGE
        self.task: asyncio.Task[None] | None = None


class ServiceProtocol(HttpToolsProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.service: Application = self.config.app  # type: ignore[assignment]
        self.head_size = 0
        self.in_head = False
        self.heard = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.heard = self.loop.time()
        self._arm(self.timeout_keep_alive)

    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("the request is not HTTP")
        except httptools.HttpParserUpgrade:
            self._unsupported_upgrade_warning()
        else:
            if self.in_head:
                self.head_size += len(data)
                if self.head_size > HEAD_LIMIT:
                    self._refuse(431, "the request's head is too large")

    def on_message_begin(self) -> None:
        self.in_head = True
        self.head_size = 0
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        self.in_head = False
        url = self.url
        if len(url) > HEAD_LIMIT:
            self._refuse(414, "the request's path and query are too long")
            return
        raw_path, _, query = url.partition(b"?")
        if (
            (self.cycle is None or self.cycle.response_complete)
            and url.startswith(b"/")
            and not self.service.is_cold(raw_path)
            and not self.expect_100_continue
            and not self.flow.write_paused
        ):
            self.cycle = self._turn(raw_path, query)  # type: ignore[assignment]
        else:
            self._asgi_way()

    def _turn(self, raw_path: bytes, query: bytes) -> Turn:
        path = raw_path.decode("utf-8", "replace")
        request = Request(
            self.parser.get_method().decode("ascii"),
            raw_path,
            path=unquote(path) if "%" in path else path,
            query_string=query,
            headers=self.headers,
            scheme=self.scheme or "http",
            id=self.service.request_id(self.headers),
        )
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        return Turn(request, keep_alive)

    def _asgi_way(self) -> None:
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers.extend(headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        turn: Any = self.cycle
        if not isinstance(turn, Turn):
            if len(turn.body) + len(body) <= BODY_LIMIT:
                super().on_body(body)
            else:
                self._refuse(413, "the request's body is too large")
            return
        turn.body += body
        if len(turn.body) > BODY_LIMIT:
            self._refuse(413, "the request's body is too large")

    def on_message_complete(self) -> None:
        turn: Any = self.cycle
        if not isinstance(turn, Turn):
            super().on_message_complete()
        elif turn.task is None and not turn.response_complete:
            turn.request.body = turn.body
            turn.task = self.loop.create_task(self._run(turn))

    async def _run(self, turn: Turn) -> None:
        response = await self.service.answer(turn.request)
        turn.response_complete = True
        turn.task = None
        if turn.disconnected or self.transport.is_closing():
            return
        keep_alive = turn.keep_alive and not self.service.draining
        self.transport.write(self._bytes(response, turn.request, keep_alive))
        if keep_alive:
            self.on_response_complete()
        else:
            self.transport.close()

    def _bytes(self, response: Response, request: Request, keep_alive: bool) -> bytes:
        body = response.body
        rest = b"" if keep_alive else b"connection: close\r\n"
        if response.headers:
            rest += b"".join([b"%b: %b\r\n" % (n, _line(v)) for n, v in response.headers])
        for name, value in self.server_state.default_headers:
            rest += b"%b: %b\r\n" % (name, value)
        if response.status not in _NO_BODY:
            rest += b"content-type: %b\r\ncontent-length: %d\r\n" % (
                response.content_type,
                len(body),
            )
            if request.method == "HEAD":
                body = b""
        else:
            body = b""
        return b"%bx-request-id: %b\r\n%b\r\n%b" % (
            STATUS_LINE[response.status],
            request.id.encode(),
            rest,
            body,
        )

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def _refuse(self, status: int, detail: str) -> None:
        """Answer once and close: what follows is not worth reading."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or isinstance(self.cycle, Turn):
            self.in_head = False
            method = self.parser.get_method().decode("ascii") if status != 400 else "GET"
            request = Request(method, b"/", path="/", id=self.service.request_id(()))
            response = problem(status, detail, id=request.id)
            self.transport.write(self._bytes(response, request, keep_alive=False))
            if self.cycle is not None:
                self.cycle.response_complete = True
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def _arm(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """One timer for each connection looks from time to time; cheaper than one a request."""
        if self.transport.is_closing():
            return
        idle = self.loop.time() - self.heard
        if self._is_busy() or idle < self.timeout_keep_alive:
            self._arm(max(self.timeout_keep_alive - idle, 1.0))
        else:
            self.transport.close()

    def _is_busy(self) -> bool:
        turn: Any = self.cycle
        if turn is None or turn.response_complete:
            return False
        return not turn.more_body if not isinstance(turn, Turn) else turn.task is not None


def _line(value: bytes) -> bytes:
    """Whatever a filter made of a client's words, it stays one header."""
    return value.translate(None, b"\r\n\0")
