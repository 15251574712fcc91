"""One connection: where its requests end, who answers them, and what it may cost."""

import asyncio
import re
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from service.chain import Request, Response
from service.front.application import BODY_LIMIT, CONTROLS, Application
from service.front.problems import problem
from service.protocol.limits import (
    CHUNKS_LIMIT,
    GRACE_SECONDS,
    HEAD_LIMIT,
    HEAD_SECONDS,
    IDLE_SECONDS,
    LEAST_RATE,
    LINGER_BYTES,
    LINGER_SECONDS,
    STOP_SECONDS,
)
from service.protocol.port import Port
from service.protocol.turn import Handed, Turn

_AT_ONCE = 64  # requests of one read, before others have their turn

_END = b"\r\n\r\n"  # ends every head and every chunked body
_NO_BODY = (204, 304)
_RARE = frozenset({b"expect", b"transfer-encoding", b"content-length"})
_PLAIN_TARGET = bytes(set(range(0x21, 0x7F)) - set(b"#"))
_UPGRADE = re.compile(rb"\r\nupgrade[ \t]*:[^\r\n]*", re.IGNORECASE)
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n".encode()
    for status in range(100, 600)
}


class Connection(asyncio.Protocol):
    def __init__(
        self,
        port: Port,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.port = port
        self.service: Application = port.application
        self.server_state = server_state
        self.loop = _loop or asyncio.get_running_loop()
        self.parser = httptools.HttpRequestParser(self)
        self.transport: asyncio.Transport = None  # type: ignore[assignment] # until it is made
        self.turn: Turn | Handed | None = None
        self.heard = 0.0
        self._cold: HttpToolsProtocol | None = None
        self._common: tuple[object, bytes] = (None, b"")
        self._rest: tuple[bytes, int] | None = None  # what came while an answer was awaited
        self._reading = False
        self._paused = False
        self._write_paused = False
        self._half_closed = False
        self._lingering = 0.0  # until when
        self._unread: tuple[float, int] | None = None  # since when the client reads too slowly
        self._begin()

    def _begin(self) -> None:
        """Between two messages."""
        self.begun = self.head_done = self.complete = False
        self.rare = self.keep_alive = self.upgrading = False
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks = 0
        self._head = self._tail = b""
        self._head_size = self._framing = 0
        self._body_left = 0  # of a body whose length is known
        self._received = 0
        self._held = 0
        self._since = 0.0

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # asyncio's base class
        self.server_state.connections.add(self)  # type: ignore[arg-type] # a protocol of ours
        self.heard = self.loop.time()
        self.port.watch(self.loop, self.server_state)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server_state.connections.discard(self)
        if self.turn is not None:
            self.turn.abandon()
        if self._cold is not None:
            self._cold.connection_lost(None)
            self._cold = None
        self.port.resumed(self)
        self._release()
        # Rings of references would keep what was received for a minute or more.
        self._rest = self.turn = None
        self.parser = None  # type: ignore[assignment] # it is not fed any more

    def eof_received(self) -> bool:
        """A client that only ends its own side still gets the answers to what it sent."""
        self._half_closed = True
        return self.complete and self.turn is not None

    def pause_writing(self) -> None:
        self._write_paused = True
        if self._cold is not None:
            self._cold.pause_writing()
        self.port.paused(self)

    def resume_writing(self) -> None:
        self._write_paused = False
        self.port.resumed(self)
        if self._cold is not None:
            self._cold.resume_writing()
        if self.turn is None:
            self._go_on()

    def shutdown(self) -> None:
        """uvicorn's server is stopping."""
        if self.turn is None and not self.begun:
            self.transport.close()
        elif isinstance(self.turn, Handed) and self._cold is not None:
            self._cold.shutdown()

    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        if self._rest is not None:
            rest, at = self._rest
            self._keep_rest(rest[at:] + data, 0)
        else:
            self._read(data, 0)

    # Where each message ends

    def _read(self, data: bytes, at: int) -> None:
        self._reading = True
        size, begun = len(data), 0
        while at < size and not self.transport.is_closing():
            if self._lingering:
                self._received += size - at
                if self._received > LINGER_BYTES:
                    self.transport.abort()
                break
            if self.complete or (self._write_paused and not self.begun):
                self._keep_rest(data, at)
                break
            if not self.begun:
                begun += 1
                if begun > _AT_ONCE:
                    self._keep_rest(data, at)
                    self.loop.call_soon(self._go_on)
                    break
            end = self._end(data, at)
            piece = data if at == 0 and end == size else data[at:end]
            at = end
            self._feed(piece)
        self._reading = False
        turn = self.turn
        if isinstance(turn, Turn) and turn.steps is None and not turn.answered:
            turn.start_early()

    def _end(self, data: bytes, at: int) -> int:
        """Where the message in `data` may end: the parser knows, but tells no place."""
        if self._body_left:
            return min(len(data), at + self._body_left)
        if self._tail:
            window = self._tail + data[at : at + 3]
            found = window.find(_END)
            if found >= 0:
                return at + found + 4 - len(self._tail)
        found = data.find(_END, at)
        return len(data) if found < 0 else found + 4

    def _feed(self, piece: bytes) -> None:
        if self.head_done:
            self._feed_body(piece)
            return
        self._head_size += len(piece)
        self._head = self._head + piece if self._head else piece
        if self._head_size > HEAD_LIMIT:
            is_line = b"\r\n" not in self._head[:HEAD_LIMIT]
            what = "path and query are too long" if is_line else "head is too large"
            self._refuse(414 if is_line else 431, f"the request's {what}")
            return
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserError:
            self._refuse(400, "the request is not HTTP")
            return
        except httptools.HttpParserUpgrade:
            pass
        if self.upgrading and self.parser.get_method() != b"CONNECT":
            self._without_upgrade()
        if self.head_done:
            self._tail = b""
            self._start()
        elif self.begun or self._head.strip(b"\r\n"):
            self._since = self._since or self.heard
            self._tail = (self._tail + piece)[-3:]
        else:
            self._head = b""  # empty lines before a request

    def _without_upgrade(self) -> None:
        """Nothing is upgraded here, so that a request that asks for it is one like any other.

        The parser would leave its body unread, and so would uvicorn's.
        """
        head, size = _UPGRADE.sub(b"", self._head), self._head_size
        self._begin()
        self._head, self._head_size = head, size
        self.parser = httptools.HttpRequestParser(self)  # the other is at its end
        self.parser.feed_data(head)

    def _feed_body(self, piece: bytes) -> None:
        before = self._received
        try:
            self.parser.feed_data(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(400, "the request is not HTTP")
            return
        if self._body_left:
            self._body_left -= len(piece)
        else:
            self._framing += len(piece) - (self._received - before)
            self._tail = b"" if self.complete else (self._tail + piece)[-3:]
        if self.chunks > CHUNKS_LIMIT:
            self._refuse(413, f"the request's body comes in more than {CHUNKS_LIMIT} chunks")
        elif self._framing > HEAD_LIMIT - self._head_size + 12 * self.chunks:
            self._refuse(431, "the request's trailers are too large")
        elif self._received > BODY_LIMIT:
            self._refuse(413, "the request's body is too large")
        elif self.port.is_full:
            self._refuse(503, "too many requests are waiting for their bodies")
        else:
            if isinstance(self.turn, Handed):
                self._uvicorns().data_received(piece)
            if self.complete:
                self._completed()

    def _start(self) -> None:
        """The head is whole; without a body, so is the message."""
        self._since = 0.0  # from now on of the body
        if self.rare and not self._accept_body():
            return
        target, query = self.url, b""
        if b"?" in target:
            target, _, query = target.partition(b"?")
        if (
            target.startswith(b"/")
            and not self.url.translate(None, _PLAIN_TARGET)
            and not self.rare
            and not self.service.is_cold(target)
            and self.port.short_way
            and self.parser.get_http_version() in ("1.1", "1.0")
        ):
            self.turn = turn = self._turn(target, query)
            if self.complete:
                turn.start()
            return
        if self._is_target():
            self._hand_over()

    def _is_target(self) -> bool:
        """Whether uvicorn's class can read it; it would answer in other words than ours."""
        if self.parser.get_method() == b"CONNECT":
            self._refuse(400, "there is nothing to connect to")
            return False
        try:
            if self.url.isascii() and httptools.parse_url(self.url).path:
                return True
        except httptools.HttpParserInvalidURLError:
            pass
        self._refuse(400, "the request's target is not a path or a URL")
        return False

    def _accept_body(self) -> bool:
        """Whether what the head says of the body can be; then only `Expect` is still rare."""
        self.rare = False
        for name, value in self.headers:
            if name == b"content-length":
                self._body_left = int(value)
            elif name == b"expect":
                self.rare = True
        if self.complete:
            self._body_left = 0
        if self._body_left > BODY_LIMIT:
            self._refuse(413, "the request's body is too large")
            return False
        return True

    def _turn(self, target: bytes, query: bytes) -> Turn:
        path = target.decode("ascii")
        request = Request(
            self.parser.get_method().decode("ascii"),
            target,
            unquote(path) if "%" in path else path,
            query,
            self.headers,
            b"",
            "http",
            self.service.request_id(self.headers),
        )
        return Turn(self, request, self.keep_alive)

    # The parser's callbacks

    def on_message_begin(self) -> None:
        if self.begun:
            raise ValueError("two messages in what should be one")
        self.begun = True

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head_done:
            return  # a trailer: whatever it says, it was not there when the request was judged
        name = name.lower()
        if name in _RARE:
            self.rare = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self.parser
        self.head_done = True
        self.keep_alive = parser.should_keep_alive() and parser.get_http_version() != "1.0"
        self.upgrading = parser.should_upgrade()

    def on_chunk_header(self) -> None:
        self.chunks += 1

    def on_body(self, body: bytes) -> None:
        size = len(body)
        self._received += size
        turn = self.turn
        if isinstance(turn, Turn) and not turn.answered:
            turn.parts.append(body)
            self._held += size
            self.port.held += size

    def on_message_complete(self) -> None:
        self.complete = True

    # Answers

    def _completed(self) -> None:
        turn = self.turn
        if turn is None or turn.answered:
            self._next()
        elif isinstance(turn, Turn):
            turn.complete()

    def respond(self, turn: Turn, response: Response) -> None:
        if turn is not self.turn or turn.answered:
            return
        turn.answered = True
        if self.transport.is_closing():
            return
        keep_alive = turn.keep_alive and not self.service.draining
        self.transport.write(self._bytes(response, turn.request, keep_alive))
        self.server_state.total_requests += 1
        if keep_alive:
            if self.complete:
                self._next()
        elif self.complete:
            self.transport.close()
        else:
            self._linger()

    def _next(self) -> None:
        self._release()
        self.turn = None
        self._begin()
        if not self._reading:
            self._go_on()

    def _go_on(self) -> None:
        if self.transport.is_closing():
            return
        if self._rest is not None and not self.complete and not self._reading:
            (data, at), self._rest = self._rest, None
            if self._paused:
                self._paused = False
                self.transport.resume_reading()
            self._read(data, at)
        if self._half_closed and self.turn is None and self._rest is None:
            self.transport.close()

    def _keep_rest(self, data: bytes, at: int) -> None:
        self._rest = data, at
        if not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()

    def _release(self) -> None:
        self.port.held -= self._held
        self._held = 0

    def keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.loop.create_task(work)
        self.server_state.tasks.add(task)
        task.add_done_callback(self.server_state.tasks.discard)
        return task

    def _bytes(self, response: Response, request: Request, keep_alive: bool) -> bytes:
        """As uvicorn writes it, header for header."""
        lines = b"%bx-request-id: %b\r\n" % (self._common_lines(), request.id.encode())
        for name, value in response.headers:
            lines += b"%b: %b\r\n" % (name, value.translate(None, CONTROLS))
        start = _STATUS_LINES[response.status]
        end = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
        if response.status in _NO_BODY:
            return b"%b%b%b" % (start, lines, end)
        body = response.body
        length = len(body)
        if request.method == "HEAD":
            body = b""
        text = b"%b%bcontent-type: %b\r\ncontent-length: %d\r\n%b%b"
        return text % (start, lines, response.content_type, length, end, body)

    def _common_lines(self) -> bytes:
        """The headers of every response as lines; uvicorn makes a new list each second."""
        headers = self.server_state.default_headers
        if headers is not self._common[0]:
            self._common = headers, b"".join([b"%b: %b\r\n" % header for header in headers])
        return self._common[1]

    # uvicorn's class

    def _hand_over(self) -> None:
        self.turn = Handed()
        self._uvicorns().data_received(self._head)

    def _uvicorns(self) -> HttpToolsProtocol:
        if self._cold is None:
            self.port.uvicorns_state.default_headers = self.server_state.default_headers
            state = {"connection": self}
            self._cold = HttpToolsProtocol(
                self.port.uvicorns_config, self.port.uvicorns_state, state, self.loop
            )
            self._cold.connection_made(self.transport)
        return self._cold

    def handed_back(self, handed: Handed) -> None:
        """uvicorn's class has written its answer."""
        handed.answered = True
        if handed is self.turn and self.complete and not self._lingering:
            self._next()

    # Refusals

    def _refuse(self, status: int, detail: str) -> None:
        """Answer once and close; what follows is read for a while, or the answer would be lost."""
        if self.transport.is_closing():
            return
        turn = self.turn
        answers = not (turn.answered if isinstance(turn, Turn) else turn and turn.started)
        if turn is not None:
            turn.abandon()
        if self._cold is not None and isinstance(turn, Handed):
            self._cold.connection_lost(ConnectionAbortedError())
            self._cold = None
        if answers:
            method = self.parser.get_method().decode("ascii") if self.head_done else "GET"
            request = Request(method, b"/", path="/", id=self.service.request_id(self.headers))
            headers = ((b"retry-after", b"1"),) if status == 503 else ()
            response = problem(status, detail, id=request.id, headers=headers)
            self.transport.write(self._bytes(response, request, keep_alive=False))
        self._linger()

    def _linger(self) -> None:
        """A connection that is closed while the client still sends is reset, answer and all."""
        self._release()
        self._received = 0
        self._lingering = self.loop.time() + LINGER_SECONDS
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    # Deadlines; each connection is looked at about once a second

    def look(self, now: float) -> None:
        if self._lingering:
            if now > self._lingering:
                self.transport.abort()
        elif not self._is_read(now):
            self.transport.abort()
        elif self.begun and not self.head_done:
            if now - self._since > HEAD_SECONDS:
                self._refuse(408, f"the request's head took more than {HEAD_SECONDS:g} s")
        elif self.begun and not self.complete:
            self._look_at_body(now)
        elif self.turn is None and self._rest is None and now - self.heard > IDLE_SECONDS:
            self.transport.close()

    def _look_at_body(self, now: float) -> None:
        self._since = self._since or self.heard
        grace = STOP_SECONDS if self.service.draining else GRACE_SECONDS
        if self._received < (now - self._since - grace) * LEAST_RATE:
            self._refuse(408, f"the request's body came slower than {LEAST_RATE} bytes a second")

    def _is_read(self, now: float) -> bool:
        size = self.transport.get_write_buffer_size()
        if not size:
            self._unread = None
            return True
        if self._unread is None:
            self._unread = now, size
        since, before = self._unread
        grace = STOP_SECONDS if self.service.draining else GRACE_SECONDS
        if now - since < grace:
            return True
        self._unread = now, size
        return before - size >= grace * LEAST_RATE
