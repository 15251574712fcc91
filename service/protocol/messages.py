"""Where each message on a connection ends: httptools parses, but does not tell the place."""

import re

import httptools

END = b"\r\n\r\n"  # ends every head and every chunked body
_NOTED = frozenset(
    {b"connection", b"expect", b"transfer-encoding", b"content-length", b"x-request-id"}
)
_UPGRADE = re.compile(rb"\r\nupgrade[ \t]*:[^\r\n]*", re.IGNORECASE)


class Messages:
    """One message after another. Each is fed to the parser in pieces that end where it may end."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.keep_alive = False
        self.version = ""
        self.untidy = True  # more than a head, whole, has come since the message before
        self._begin()

    def _begin(self) -> None:
        """Between two messages."""
        self.begun = self.head_done = self.complete = False
        self.rare = self.names_connection = self.names_itself = False
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        if self.untidy:
            self.untidy = False
            self.chunks = 0
            self._head = self._tail = b""
            self._head_size = self._framing = 0
            self._body_left = 0  # of a body whose length is known
            self.length = b"0"
            self.expects = False
            self.received = 0
            self.since = 0.0

    def _end(self, data: bytes, at: int) -> int:
        """Where the message in `data` may end: the parser knows, but tells no place."""
        if self._body_left:
            return min(len(data), at + self._body_left)
        if self._tail:
            window = self._tail + data[at : at + 3]
            place = window.find(END)
            if place >= 0:
                return at + place + 4 - len(self._tail)
        place = data.find(END, at)
        return len(data) if place < 0 else place + 4

    def _without_upgrade(self) -> None:
        """Nothing is upgraded here, so that a request that asks for it is one like any other.

        The parser would leave its body unread, and so would uvicorn's.
        """
        head = _UPGRADE.sub(b"", self._head)
        self._begin()
        self.begun = True
        self._head = head
        self.parser = httptools.HttpRequestParser(self)  # the other is at its end
        self.parser.feed_data(head)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head_done:
            return  # a trailer: whatever it says, it was not there when the request was judged
        name = name.lower()
        if name in _NOTED:
            if name == b"connection":
                self.names_connection = True
            elif name == b"x-request-id":
                self.names_itself = True
            elif name == b"content-length":
                self.rare = True
                self.length = value
            else:
                self.rare = True
                self.expects |= name == b"expect"
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.head_done:
            raise ValueError("two messages in what should be one")
        self.head_done = True
        self.keep_alive = keep_alive = self.parser.should_keep_alive()
        if keep_alive and not self.names_connection:
            self.version = "1.1"  # the only one that keeps a connection without being asked to
        else:
            self.version = self.parser.get_http_version()
            self.keep_alive = keep_alive and self.version != "1.0"

    def on_chunk_header(self) -> None:
        self.chunks += 1

    def on_body(self, body: bytes) -> None:
        self.received += len(body)
        self.take(body)

    def take(self, body: bytes) -> None:
        """A piece of the body, for whoever answers."""

    def on_message_complete(self) -> None:
        self.complete = True


def is_target(url: bytes) -> bool:
    """Whether there is a path in it, as uvicorn's class reads it."""
    try:
        return url.isascii() and bool(httptools.parse_url(url).path)
    except httptools.HttpParserInvalidURLError:
        return False
