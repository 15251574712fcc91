"""The vocabulary of the filter chain: what a request carries and what a filter is.

A filter is Caddy's middleware: it gets the exchange and the next handler, and returns the
response. Whatever goes wrong is raised, logged once by `awscloudwatch`, answered once by `app`.
Filters talk to each other through the exchange's slots only.

A request runs without an asyncio task of its own until a filter asks for one: see `own_task`.
"""

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Headers = Sequence[tuple[bytes, bytes]]


class Request:
    """`path` is percent-decoded, `raw_path` is what the client sent, without the query.

    Header names are lower case. `id` is the client's X-Request-Id when it is sane, else ours.
    """

    __slots__ = ("body", "headers", "id", "method", "path", "query_string", "raw_path", "scheme")

    def __init__(
        self,
        method: str,
        raw_path: bytes,
        path: str,
        query_string: bytes = b"",
        headers: Headers = (),
        body: bytes = b"",
        scheme: str = "http",
        id: str = "",
    ) -> None:
        self.method = method
        self.raw_path = raw_path
        self.path = path
        self.query_string = query_string
        self.headers = headers
        self.body = body
        self.scheme = scheme
        self.id = id

    def header(self, name: bytes) -> bytes | None:
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(slots=True)
class Response:
    status: int
    body: bytes = b""
    content_type: bytes = b"application/json"
    headers: Headers = ()


class Exchange:
    """One request on its way down the chain. Each slot has one writer."""

    __slots__ = ("command", "reply", "request", "security_context")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.security_context: Mapping[str, Any] | None = None  # written by reauth
        self.command: Any = None  # written by transformrequest, read by redis
        self.reply: Any = None  # written by redis, read by transformresponse


Handler = Callable[[Exchange], Awaitable[Response]]


class Filter(Protocol):
    async def __call__(self, exchange: Exchange, call_next: Handler) -> Response: ...


@dataclass
class Site:
    """One address of a server block, and what its filters share; it replaces v1's globals.

    `startup` runs in order before the first request, `shutdown` in reverse after the last.
    `status` holds what each filter tells `/status`, by directive name; never a secret.
    `written` gives the writes that the fallback's map has and Redis has not; it answers this host
    only, unless `written_is_open`.
    `paths` holds what each filter answers, as path items of the OpenAPI document.
    """

    host: str
    port: int
    secrets: Mapping[str, Any] = field(default_factory=dict)
    container_metadata_uri: str = ""  # of ECS, set before start-up by who reads the environment
    startup: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    shutdown: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    status: dict[str, Callable[[], Mapping[str, Any]]] = field(default_factory=dict)
    written: Callable[[], Iterable[Any]] = tuple
    written_is_open: bool = False
    paths: dict[str, Mapping[str, Any]] = field(default_factory=dict)


async def own_task() -> None:
    """Go on in a task. Needed before whatever asks for the current one: asyncio.timeout, httpx."""
    await asyncio.sleep(0)


@types.coroutine
def rest_of(started: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """What is left of a coroutine that is under way, to be awaited by somebody else."""
    result: T = yield from started
    return result


def link(filters: Sequence[Filter], end: Handler) -> Handler:
    """Fold the filters back to front, so that the first one is outermost."""
    handler = end
    for each in reversed(filters):
        handler = _bind(each, handler)
    return handler


def _bind(each: Filter, call_next: Handler) -> Handler:
    run = each.__call__

    def handler(exchange: Exchange) -> Awaitable[Response]:
        return run(exchange, call_next)

    return handler
