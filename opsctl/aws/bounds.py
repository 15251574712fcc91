"""Bound what a server may take: the time and the size of one answer, the pages of one list.

A socket's timeout is for one read. A server that sends a byte a second keeps it from ever ending.
"""

import io
import threading
import time
from collections.abc import Mapping
from functools import cache
from http.client import HTTPResponse
from typing import Any

_MOST = 32 * 2**20  # bytes; the greatest answers that we ask for have one or two million
# Live Tail's answer lasts for hours.
_STREAM = "application/vnd.amazon.eventstream"
_TOKENS = ("nextToken", "NextToken", "Marker")
_PAGES = 2000
_LISTS = 100  # that are remembered; a command that looks for ever asks for many
# Reading log events has its own paging, which reads a range again when a token leads nowhere.
_PAGES_ITSELF = {"FilterLogEvents"}


class _Reader(io.RawIOBase):
    """What comes from a socket, until the time or the size is used up."""

    def __init__(self, raw: Any, sock: Any, seconds: float, most: float) -> None:
        self._raw, self._sock, self._most = raw, sock, most
        self._pause = sock.gettimeout()
        self._end: float | None = time.monotonic() + seconds
        self._bytes = 0

    def lift(self) -> None:
        self._end = None

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def readinto(self, buffer: Any) -> int | None:
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0 or self._bytes > self._most:
                raise TimeoutError
            self._sock.settimeout(left if self._pause is None else min(self._pause, left))
        count: int | None = self._raw.readinto(buffer)
        self._bytes += count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def response(seconds: float, most: float = _MOST) -> type[HTTPResponse]:
    """Return a `response_class` for a connection of http.client, of an answer that is bounded.

    Reading it raises TimeoutError beyond so many seconds or bytes, its head included.
    """

    class Response(HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            plain: Any = self.fp
            self._reader = _Reader(plain.detach(), sock, seconds, most)
            self.fp = io.BufferedReader(self._reader)

        def begin(self) -> None:
            super().begin()
            if self.headers.get("content-type", "").startswith(_STREAM):
                self._reader.lift()

    return Response


def bound(client: Any, seconds: float) -> None:
    """Let every answer of this client come within so many seconds, and with a sensible size.

    Otherwise botocore raises ReadTimeoutError.
    """
    client._endpoint.http_session._pool_classes_by_scheme.update(_pools(seconds))


@cache
def _pools(seconds: float) -> Mapping[str, Any]:
    """Return a class of connection pools for each scheme: the same for every client."""
    from botocore import awsrequest

    bounded: Any = response(seconds)

    class Http(awsrequest.AWSHTTPConnection):
        response_class = bounded

    class Https(awsrequest.AWSHTTPSConnection):
        response_class = bounded

    class HttpPool(awsrequest.AWSHTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(awsrequest.AWSHTTPSConnectionPool):
        ConnectionCls = Https

    return {"http": HttpPool, "https": HttpsPool}


class Pages:
    """The pages of lists that were asked for: a server may lead in a circle, or on for ever."""

    def __init__(self) -> None:
        self._lists: dict[object, set[str]] = {}
        self._lock = threading.Lock()

    def endless(self, operation: str, parameters: Mapping[str, Any]) -> str:
        """Return what is wrong with asking for this page; '' when nothing is."""
        token = next((parameters[name] for name in _TOKENS if parameters.get(name)), None)
        if operation in _PAGES_ITSELF or (token is None and not self._lists):
            return ""
        others = sorted((name, str(value)) for name, value in parameters.items())
        which = (threading.get_ident(), operation, hash(tuple(_without_token(others))))
        with self._lock:
            if token is None:
                self._lists.pop(which, None)
                return ""
            if len(self._lists) > _LISTS:
                self._lists.clear()
            known = self._lists.setdefault(which, set())
            if token in known:
                return f": its pages of {operation} lead in a circle"
            known.add(token)
            return f": its pages of {operation} have no end" if len(known) > _PAGES else ""


def _without_token(parameters: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in parameters if name not in _TOKENS]
