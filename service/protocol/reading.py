"""Read a connection in pieces that end where a message may end, and apply the limits."""

import asyncio

import httptools

from service.front.application import BODY_LIMIT
from service.protocol.limits import CHUNKS_LIMIT, HEAD_LIMIT, LINGER_BYTES
from service.protocol.messages import END, Messages
from service.protocol.port import Port

_AT_ONCE = 64  # pieces of one read, before other connections have their turn


class Reading(Messages):
    """The reading half of a connection; the subclass `Connection` answers."""

    def __init__(self, port: Port, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.port = port
        self.loop = loop
        self.transport: asyncio.Transport = None  # type: ignore[assignment] # until it is made
        self.heard = 0.0
        self.lingering = 0.0  # until when
        self._reading = False
        self._write_paused = False

    def _read(self, data: bytes, at: int) -> None:
        self._reading = True
        size, pieces = len(data), 0
        while at < size and not self.transport.is_closing():
            if self.lingering:
                self.received += size - at
                if self.received > LINGER_BYTES:
                    self.transport.abort()
                break
            if self.complete or (self._write_paused and not self.begun):
                self._keep_rest(data, at)
                break
            self.untidy = True
            pieces += 1
            if pieces > _AT_ONCE:
                self._keep_rest(data, at)
                self.loop.call_soon(self._go_on)
                break
            end = self._end(data, at)
            piece = data if at == 0 and end == size else data[at:end]
            at = end
            self._feed(piece)
        self._reading = False
        self._start_early()

    def _feed(self, piece: bytes) -> None:
        if self.head_done:
            self._feed_body(piece)
            return
        self._head_size += len(piece)
        self._head = self._head + piece if self._head else piece
        if self._head_size > HEAD_LIMIT:
            is_line = b"\r\n" not in self._head[:HEAD_LIMIT]
            what = "path and query are too long" if is_line else "head is too large"
            self.refuse(414 if is_line else 431, f"the request's {what}")
            return
        if not self._head.strip(b"\r\n"):
            self._head = b""  # empty lines before a request
            return
        self.begun = True
        self.since = self.since or self.heard
        self._tail = (self._tail + piece)[-3:]
        self._feed_head(piece)
        if not self.head_done and not self.lingering:
            self._keep(len(piece))

    def _feed_head(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._head_broke(error)
        else:
            if self.head_done:
                self._start()

    def _head_broke(self, error: Exception) -> None:
        if isinstance(error, httptools.HttpParserError):
            self.refuse(400, "the request is not HTTP")
            return
        if self.parser.get_method() != b"CONNECT":
            self._without_upgrade()
        self._start()

    def _feed_body(self, piece: bytes) -> None:
        before = self.received
        try:
            self.parser.feed_data(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.refuse(400, "the request is not HTTP")
            return
        if self._body_left:
            self._body_left -= len(piece)
        else:
            self._framing += len(piece) - (self.received - before)
            recent = self._tail + piece[-4:]
            self._tail = b"" if self.complete else recent[-3:]
            # Data that looks like the end of the message. It counts as a chunk.
            self.chunks += not self.complete and recent.endswith(END)
        if self.chunks > CHUNKS_LIMIT:
            self.refuse(413, f"the request's body comes in more than {CHUNKS_LIMIT} chunks")
        elif self._framing > HEAD_LIMIT - self._head_size + 12 * self.chunks:
            self.refuse(431, "the request's trailers are too large")
        elif self.received > BODY_LIMIT:
            self.refuse(413, "the request's body is too large")
        else:
            self._keep_body(self.received - before)
            if not self.lingering:  # it may have been the one to give way
                self._pass_on(piece)
                if self.complete:
                    self._completed()

    # Implemented by the connection

    def _start(self) -> None:
        """Handle a complete head; without a body the message is complete, too."""
        raise NotImplementedError

    def _start_early(self) -> None:
        """Called when everything received was read and a request's body is still to come."""
        raise NotImplementedError

    def _pass_on(self, piece: bytes) -> None:
        """Pass bytes to uvicorn's class, if it answers."""
        raise NotImplementedError

    def _completed(self) -> None:
        raise NotImplementedError

    def _keep(self, size: int) -> None:
        """Count this many more bytes of the request in memory."""
        raise NotImplementedError

    def _keep_body(self, size: int) -> None:
        """Count bytes of a body, if somebody needs them."""
        raise NotImplementedError

    def _keep_rest(self, data: bytes, at: int) -> None:
        """Keep what cannot be read before the present request is answered."""
        raise NotImplementedError

    def _go_on(self) -> None:
        """Read what was kept."""
        raise NotImplementedError

    def refuse(self, status: int, detail: str) -> None:
        raise NotImplementedError
