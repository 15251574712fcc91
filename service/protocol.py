"""HTTP for uvicorn, with a short way for requests that the filter chain answers.

Such a request needs no ASGI scope, messages or cycle, and not even a task: it is parsed, run down
the chain as far as the store's answer, and written in one piece. That costs about what uvicorn's
own part does for an empty application.
Everything rare (pipelining, `Expect`, FastAPI's paths, a client that does not read) takes
uvicorn's ASGI way, which leads to the same chain. The parts of uvicorn's class that this relies on
are pinned by tests/service/test_protocol.py.
"""

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, NoReturn
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.chain import Request, Response
from service.front.application import BODY_LIMIT, Application
from service.front.problems import problem

HEAD_LIMIT = 65_536

_NO_BODY = (204, 304)


class _Message:
    """Stands where a cycle has an event: nobody waits on the short way."""

    def set(self) -> None:
        pass


class Turn:
    """One request on the short way, in the place of uvicorn's RequestResponseCycle.

    It drives the chain's coroutine itself: each future that the chain waits for resumes it. Where
    the chain yields without one (`chain.own_task`), a task takes over.
    """

    __slots__ = (
        "body",
        "disconnected",
        "keep_alive",
        "message_event",
        "more_body",
        "protocol",
        "request",
        "response_complete",
        "started",
        "steps",
    )
    _MESSAGE = _Message()

    def __init__(self, protocol: "ServiceProtocol", request: Request, keep_alive: bool) -> None:
        self.protocol = protocol
        self.request = request
        self.keep_alive = keep_alive
        self.body = b""
        self.more_body = True
        self.started = False
        self.response_complete = False
        self.disconnected = False
        self.message_event = self._MESSAGE

    def start(self) -> None:
        self.started = True
        self.request.body = self.body
        self.steps = self.protocol.service.answer(self.request)
        self.resume()

    def resume(self, _: "asyncio.Future[Any] | None" = None) -> None:
        try:
            waits_for = self.steps.send(None)
        except StopIteration as done:
            self.protocol.respond(self, done.value)
            return
        if waits_for is None:
            self.protocol.keep(self._finish())
        else:
            waits_for.add_done_callback(self.resume)

    async def _finish(self) -> None:
        self.protocol.respond(self, await _rest(self.steps))


@types.coroutine
def _rest(steps: Coroutine[Any, None, Response]) -> Generator[Any, None, Response]:
    """What is left of a coroutine that is under way."""
    response: Response = yield from steps
    return response


class ServiceProtocol(HttpToolsProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.service: Application = self.config.app  # type: ignore[assignment]
        self.head_size = 0
        self.in_head = False
        self.heard = 0.0
        self._common: tuple[object, bytes] = (None, b"")
        self.cycles: list[Any] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.heard = self.loop.time()
        self._arm(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # uvicorn tells only the last of several; the one that runs would write to nobody, and fail.
        for cycle in self.cycles:
            cycle.disconnected = True
            cycle.message_event.set()
        # A timer and a ring of references would keep what was received for a minute or more.
        self._unset_keepalive_if_required()
        self.cycle, self.cycles = None, []  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserError:
                self.send_400_response("the request is not HTTP")
            except httptools.HttpParserUpgrade as stopped:
                data = self._without_upgrade() + data[stopped.args[0] :]
                continue
            else:
                if self.in_head:
                    self.head_size += len(data)
                    if self.head_size > HEAD_LIMIT:
                        self._refuse(431, "the request's head is too large")
            return

    def on_message_begin(self) -> None:
        self.in_head = True
        self.head_size = 0
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def _without_upgrade(self) -> bytes:
        """The head of a request that asked for an upgrade, to be parsed again as if it had not.

        Nothing is upgraded here, and the parser leaves the body of such a request unread.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)  # the other is at its end after `close`
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return b"\r\n".join([*lines, b"", b""])

    def on_headers_complete(self) -> None:
        self.in_head = False
        url = self.url
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._refuse_and_stop(400, "there is nothing to connect to")
            return  # to be parsed again
        if len(url) > HEAD_LIMIT:
            self._refuse_and_stop(414, "the request's path and query are too long")
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
        parser, headers = self.parser, self.headers
        path = raw_path.decode("utf-8", "replace")
        request = Request(
            parser.get_method().decode("ascii"),
            raw_path,
            unquote(path) if "%" in path else path,
            query,
            headers,
            b"",
            self.scheme or "http",
            self.service.request_id(headers),
        )
        keep_alive = parser.get_http_version() != "1.0" and parser.should_keep_alive()
        return Turn(self, request, keep_alive)

    def _asgi_way(self) -> None:
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers.extend(headers)
        super().on_headers_complete()
        self.cycles = [each for each in self.cycles if not each.response_complete] + [self.cycle]

    def on_body(self, body: bytes) -> None:
        turn: Any = self.cycle
        if not isinstance(turn, Turn):
            if len(turn.body) + len(body) <= BODY_LIMIT:
                super().on_body(body)
            else:
                self._refuse_and_stop(413, "the request's body is too large")
            return
        turn.body += body
        if len(turn.body) > BODY_LIMIT:
            self._refuse_and_stop(413, "the request's body is too large")

    def on_message_complete(self) -> None:
        turn: Any = self.cycle
        if not isinstance(turn, Turn):
            if turn is not None:
                super().on_message_complete()
        elif not turn.started and not turn.response_complete:
            turn.start()

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def respond(self, turn: Turn, response: Response) -> None:
        turn.response_complete = True
        if turn.disconnected or self.transport.is_closing():
            return
        keep_alive = turn.keep_alive and not self.service.draining
        self.transport.write(self._bytes(response, turn.request, keep_alive))
        if keep_alive:
            self.on_response_complete()
        else:
            self.transport.close()

    def _bytes(self, response: Response, request: Request, keep_alive: bool) -> bytes:
        lines = self._common_lines()
        if response.headers:
            lines += b"".join([b"%b: %b\r\n" % (n, _line(v)) for n, v in response.headers])
        if not keep_alive:
            lines += b"connection: close\r\n"
        start, id = STATUS_LINE[response.status], request.id.encode()
        if response.status in _NO_BODY:
            return b"%bx-request-id: %b\r\n%b\r\n" % (start, id, lines)
        body = response.body
        length = len(body)
        if request.method == "HEAD":
            body = b""
        text = b"%bx-request-id: %b\r\n%bcontent-type: %b\r\ncontent-length: %d\r\n\r\n%b"
        return text % (start, id, lines, response.content_type, length, body)

    def _common_lines(self) -> bytes:
        """The headers of every response as lines; uvicorn makes a new list each second."""
        headers = self.server_state.default_headers
        if headers is not self._common[0]:
            self._common = headers, b"".join([b"%b: %b\r\n" % header for header in headers])
        return self._common[1]

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

    def _refuse_and_stop(self, status: int, detail: str) -> NoReturn:
        """Within the parser: it would go on to requests that nobody gets an answer to."""
        self._refuse(status, detail)
        raise httptools.HttpParserError(detail)

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
        return not turn.more_body if not isinstance(turn, Turn) else turn.started


def _line(value: bytes) -> bytes:
    """Whatever a filter made of a client's words, it stays one header."""
    return value.translate(None, b"\r\n\0")
