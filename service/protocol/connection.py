"""One connection: where its requests end, who answers them, and what it may cost."""

import asyncio
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from service.chain import Request, Response
from service.front.application import BODY_LIMIT, Application
from service.front.problems import problem
from service.protocol.answers import Answers
from service.protocol.limits import HEAD_LIMIT, LINGER_SECONDS
from service.protocol.messages import END, is_target
from service.protocol.pace import Pace
from service.protocol.port import Port
from service.protocol.reading import Reading
from service.protocol.room import LARGE, address_of
from service.protocol.turn import Turn
from service.protocol.uvicorns import Handed, uvicorns

_VERSIONS = ("1.1", "1.0")
_SLASH, _HASH, _QUESTION_MARK = b"/#?"  # searching for a number is much faster than for bytes


class Connection(Reading, asyncio.Protocol):
    def __init__(
        self,
        port: Port,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(port, _loop or asyncio.get_running_loop())
        self.service: Application = port.application
        self.server_state = server_state
        self.turn: Turn | Handed | None = None
        self.cold: HttpToolsProtocol | None = None
        self._answers = Answers()
        self._not_short = port.not_short
        self.rest: tuple[bytes, int] | None = None  # what arrived while an answer was awaited
        self._paused = False
        self._half_closed = False
        self.pace_of_reader = Pace()
        self.pace_of_body = Pace()
        self.written = 0
        self.address = ""
        self._kept = 0
        self.target = self.query = b""

    # Called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # asyncio's base class
        self.server_state.connections.add(self)  # type: ignore[arg-type] # a protocol of ours
        self.heard = self.loop.time()
        self.address = address_of(transport.get_extra_info("peername"))
        self.port.watch(self.loop, self.server_state)
        self.port.room.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server_state.connections.discard(self)
        if self.turn is not None:
            self.turn.abandon()
        if self.cold is not None:
            self.cold.connection_lost(None)
            self.cold = None
        self.port.room.leave(self)
        # Reference cycles would keep the received bytes in memory for a minute or more.
        self.rest = self.turn = None
        self.parser = None  # type: ignore[assignment] # it is not fed any more

    def eof_received(self) -> bool:
        """Keep the connection: a client that only ends its own side still gets its answers."""
        self._half_closed = True
        return self.complete and self.turn is not None and not self.lingering

    def pause_writing(self) -> None:
        self._write_paused = True
        if self.cold is not None:
            self.cold.pause_writing()
        self.port.room.is_unread(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._write_paused = False
        self.port.room.was_read(self)
        if self.cold is not None:
            self.cold.resume_writing()
        if self.turn is None:
            self._go_on()

    def shutdown(self) -> None:
        """Called when uvicorn's server stops."""
        if self.turn is None and not self.begun:
            self.transport.close()
        elif isinstance(self.turn, Handed) and self.cold is not None:
            self.cold.shutdown()

    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        if self.rest is not None:
            rest, at = self.rest
            self._keep_rest(rest[at:] + data, 0)
            return
        head = data.find(END) + 4
        if head < 4 or self.begun or len(data) > HEAD_LIMIT or self.lingering or self._write_paused:
            self._read(data, 0)
            return
        # Nearly always this is one complete request and nothing else.
        self._reading = self.begun = True
        self._head = data
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._again(data)
        else:
            if head == len(data):
                self._start()
            elif self.complete and self.received == len(data) - head and not self.chunks:
                self._start_whole(data[head:])
            else:
                self._again(data)
        self._reading = False
        if not self.complete:
            self._start_early()

    def _again(self, data: bytes) -> None:
        """Parse the bytes again, piece by piece, because they are not one complete request."""
        self.parser = httptools.HttpRequestParser(self)
        self.untidy = True
        self._begin()
        self._read(data, 0)

    def _start_whole(self, body: bytes) -> None:
        self.untidy = True
        self._accept_body()
        if self.rare or not self._is_short():
            self._again(self._head)
            return
        if len(body) > LARGE:
            self._keep(len(body))
            if self.lingering:  # it was the one to give way, and has its answer
                return
        self.turn = turn = Turn(self)
        turn.request.body = body
        turn.start()

    # Who answers

    def _start_early(self) -> None:
        turn = self.turn
        if isinstance(turn, Turn) and turn.steps is None and not turn.answered:
            turn.start_early()

    def _start(self) -> None:
        """Handle a complete head; without a body the message is complete, too."""
        if not self.complete or self.rare:
            self.untidy = True
            self._tail = b""
            self._head_size = len(self._head)
            if not self._accept_body():
                return
        if self._is_short():
            self.turn = turn = Turn(self)
            if self.complete:
                turn.start()
            return
        if self.parser.get_method() == b"CONNECT":
            self.refuse(400, "there is nothing to connect to")
        elif not is_target(self.url):
            # uvicorn's class would say so in other words.
            self.refuse(400, "the request's target is not a path or a URL")
        else:
            self.turn = Handed()
            uvicorns(self).data_received(self._head)

    def _is_short(self) -> bool:
        url = self.target = self.url
        self.query = b""
        if _QUESTION_MARK in url:
            self.target, _, self.query = url.partition(b"?")
        return (
            url[0] == _SLASH
            and url.isascii()
            and _HASH not in url
            and not self.rare
            and self.target not in self._not_short
            and self.version in _VERSIONS
        )

    def _accept_body(self) -> bool:
        """Return whether the announced body is allowed. After this only `Expect` is still rare."""
        self.rare = self.expects
        self._body_left = 0 if self.complete else int(self.length)
        if self._body_left > BODY_LIMIT:
            self.refuse(413, "the request's body is too large")
            return False
        return True

    def _pass_on(self, piece: bytes) -> None:
        if isinstance(self.turn, Handed):
            uvicorns(self).data_received(piece)

    def take(self, body: bytes) -> None:
        turn = self.turn
        if isinstance(turn, Turn) and not turn.answered:
            turn.take(body)

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
        state = self.server_state
        state.total_requests += 1
        keep_alive = turn.keep_alive and not self.service.draining
        common = state.default_headers
        self.write(self._answers.bytes_of(response, turn.request, common, keep_alive))
        if not keep_alive:
            self.linger()
        elif self.complete:
            self._next()

    def write(self, data: bytes) -> None:
        self.written += len(data)
        self.transport.write(data)
        if self._write_paused:
            self.port.room.is_unread(self, self.transport.get_write_buffer_size())

    def _next(self) -> None:
        if self._kept:
            self._keep(-self._kept)
        if self.untidy:
            self.pace_of_body.stop()  # the next body is measured from its own beginning
        self.turn = None
        self._begin()
        if not self._reading and (self.rest is not None or self._half_closed):
            self._go_on()

    def _go_on(self) -> None:
        if self.transport.is_closing():
            return
        if self.rest is not None and not self.complete and not self._reading:
            data, at = self.rest
            self._drop_rest()
            self._read(data, at)
        if self._half_closed and self.turn is None and self.rest is None:
            self.transport.close()

    def _keep_rest(self, data: bytes, at: int) -> None:
        self.rest = data, at
        if not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()
        self._keep(0)

    def _drop_rest(self) -> None:
        if self.rest is not None:
            self.rest = None
            self._keep(0)
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

    def _keep_body(self, size: int) -> None:
        if size and self.turn is not None and not self.turn.answered:
            self._keep(size)

    def _keep(self, size: int) -> None:
        """Count this many bytes more (or fewer) for the request under way."""
        self._kept += size
        rest = 0 if self.rest is None else len(self.rest[0])
        self.port.room.holds(self, self._kept + rest)

    def give_way(self) -> None:
        """Free memory for others: this connection has held some of it longest."""
        if self.turn is None or not self.complete:
            self.refuse(503, "too many requests are on their way")
        elif self.rest is not None:
            # Its request is being answered; the client must repeat what came after it.
            self.rest = b"", 0
            self.turn.keep_alive = False
            self._keep(0)

    # uvicorn's class

    def handed_back(self, handed: Handed) -> None:
        """Called when uvicorn's class has written its answer."""
        handed.answered = True
        if handed is not self.turn or self.lingering:
            return
        if not self.complete:
            # A client that was not told to continue may continue all the same: what comes next is
            # either the body or another request, and nobody can tell which.
            if self.expects:
                self.linger()
        elif handed.keep_alive:
            self._next()
        else:
            self.linger()

    # Refusals

    def refuse(self, status: int, detail: str) -> None:
        """Answer once and close. Read on for a while, or the client would not get the answer."""
        if self.transport.is_closing():
            return
        turn = self.turn
        answers = not (turn.answered if isinstance(turn, Turn) else turn and turn.started)
        if turn is not None:
            turn.abandon()
        if self.cold is not None and isinstance(turn, Handed):
            self.cold.connection_lost(ConnectionAbortedError())
            self.cold = None
        if answers:
            method = self.parser.get_method().decode("ascii") if self.head_done else "GET"
            request = Request(method, b"/", path="/", id=self.service.request_id(self.headers))
            headers = ((b"retry-after", b"1"),) if status == 503 else ()
            response = problem(status, detail, id=request.id, headers=headers)
            common = self.server_state.default_headers
            self.write(self._answers.bytes_of(response, request, common, False))
        self.linger()

    @property
    def is_ending(self) -> bool:
        return bool(self.lingering) or self.transport.is_closing()

    @property
    def linger_seconds(self) -> float:
        return 1.0 if self.service.draining else LINGER_SECONDS

    def linger(self) -> None:
        """Stay open for a while: closing while the client sends would discard the answer."""
        self._drop_rest()
        self._keep(-self._kept)
        # Nobody reads or counts these any more.
        self._head = self._tail = self.url = self.target = self.query = b""
        self.headers = []
        if isinstance(self.turn, Turn):
            self.turn.body = self.turn.request.body = b""
        self.received = 0
        self.lingering = self.loop.time() + self.linger_seconds
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
