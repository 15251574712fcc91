"""Find where each message on a connection ends: httptools parses, but does not say where."""

import re

import httptools

END = b"\r\n\r\n"  # the end of every head and every chunked body
_NOTED = frozenset(
    {b"connection", b"expect", b"transfer-encoding", b"content-length", b"x-request-id"}
)
_UPGRADE = re.compile(rb"\r\nupgrade[ \t]*:[^\r\n]*", re.IGNORECASE)


class Messages:
    """Parses one message after another. Each is fed in pieces that end where it may end."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.keep_alive = False
        self.version = ""
        self.untidy = True  # whether the last message was more than a complete head
        self._begin()

    def _begin(self) -> None:
        """Reset the state between two messages."""
        self.begun = self.head_done = self.complete = False
        self._head = b""  # also of a tidy one: what follows must not be added to it
        self.rare = self.names_connection = self.names_itself = False
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        if self.untidy:
            self.untidy = False
            self.chunks = 0
            self._tail = b""
            self._head_size = self._framing = 0
            self._body_left = 0  # of a body with a known length
            self.length = b"0"
            self.expects = False
            self.received = 0
            self.since = 0.0

    def _end(self, data: bytes, at: int) -> int:
        """Return where the message in `data` may end; the parser does not say."""
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
        """Parse the head again without its upgrade, because nothing is upgraded here.

        Otherwise the parser would not read the body, and neither would uvicorn's.
        """
        head = _UPGRADE.sub(b"", self._head)
        self._begin()
        self.begun = True
        self._head = head
        self.parser = httptools.HttpRequestParser(self)  # the old one has ended
        self.parser.feed_data(head)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head_done:
            return  # a trailer, which came after the request was judged, so it does not count
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
            self.version = "1.1"  # the only version that keeps a connection by default
        else:
            self.version = self.parser.get_http_version()
            self.keep_alive = keep_alive and self.version != "1.0"

    def on_chunk_header(self) -> None:
        self.chunks += 1

    def on_body(self, body: bytes) -> None:
        self.received += len(body)
        self.take(body)

    def take(self, body: bytes) -> None:
        """Receive a piece of the body."""

    def on_message_complete(self) -> None:
        self.complete = True


def is_target(url: bytes) -> bool:
    """Return whether the target contains a path, as uvicorn's class reads it."""
    try:
        return url.isascii() and bool(httptools.parse_url(url).path)
    except httptools.HttpParserInvalidURLError:
        return False
