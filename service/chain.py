"""The types of the filter chain: what a request carries and what a filter is.

A filter is Caddy's middleware: it gets the exchange and the next handler, and returns the response.
Errors are raised, logged once by `awscloudwatch`, and answered once by the site's application.
Filters communicate only through the exchange's slots.

A request runs without its own asyncio task until a filter needs one: see `own_task`.
"""

import asyncio
import threading
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Headers = Sequence[tuple[bytes, bytes]]


class Request:
    """A request. `path` is percent-decoded; `raw_path` is as the client sent it, without the query.

    Header names are in lower case. `id` is the client's X-Request-Id if that is valid, else ours.

    A request may be judged by its head. While `pending` is set, await `complete` before reading
    `body`. A filter that refuses it earlier saves everybody the body.
    """

    __slots__ = (
        "body",
        "headers",
        "id",
        "method",
        "path",
        "pending",
        "query_string",
        "raw_path",
        "scheme",
    )

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
        self.pending: Callable[[], Awaitable[bytes]] | None = None

    async def complete(self) -> None:
        if self.pending is not None:
            self.body = await self.pending()
            self.pending = None

    def header(self, name: bytes) -> bytes | None:
        for key, value in self.headers:
            if key == name:
                return value
        return None


class ClientLeft(BaseException):
    """The body will not arrive.

    Not an Exception, because nothing failed and nobody gets an answer.
    """


@dataclass(slots=True)
class Response:
    status: int
    body: bytes = b""
    content_type: bytes = b"application/json"
    headers: Headers = ()


class Exchange:
    """One request on its way through the chain. Each slot has one writer."""

    __slots__ = ("command", "reply", "request", "security_context")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.security_context: Mapping[str, Any] | None = None  # written by reauth
        self.command: Any = None  # written by transformrequest, read by redis
        self.reply: Any = None  # written by redis, read by transformresponse


Handler = Callable[[Exchange], Awaitable[Response]]


class Filter(Protocol):
    """One that has nothing to wait for returns what `call_next` gave: a coroutine less."""

    def __call__(self, exchange: Exchange, call_next: Handler) -> Awaitable[Response]: ...


@dataclass
class Site:
    """One address of a server block, and what its filters share; it replaces v1's globals.

    `startup` runs in order before the first request, `shutdown` in reverse after the last. `status`
    holds each filter's part of `/status`, by directive name, without secrets. `written` yields the
    writes that the fallback's map has and Redis lacks; only this host may read them, unless
    `written_is_open`. `paths` holds what each filter answers, as path items of the OpenAPI
    document.

    The filters tell the server what it must know: `tells_status` means that the site is not for
    clients and so answers `/status`; `logs_errors` that a filter logs errors; `guards` are the
    responses to unknown clients, for the OpenAPI document.
    """

    host: str
    port: int
    secrets: Mapping[str, Any] = field(default_factory=dict)
    # of ECS; set before start-up by the module that reads the environment
    container_metadata_uri: str = ""
    startup: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    shutdown: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    status: dict[str, Callable[[], Mapping[str, Any]]] = field(default_factory=dict)
    written: Callable[[], Iterable[Any]] = tuple
    written_is_open: bool = False
    paths: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    tells_status: bool = False
    logs_errors: bool = False
    guards: dict[str, Any] = field(default_factory=dict)


async def own_task() -> None:
    """Continue in an asyncio task.

    Needed before calls that use the current task: asyncio.timeout, httpx.
    """
    await asyncio.sleep(0)


async def in_thread(call: Callable[[], T]) -> T:
    """Run a call in a thread that does not delay the end of the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type] # there is one where no error is

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except Exception as raised:
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody needs the result
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, daemon=True).start()
    return await done


@types.coroutine
def rest_of(started: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Return the rest of a coroutine under way, so that somebody else can await it."""
    result: T = yield from started
    return result


def link(filters: Sequence[Filter], end: Handler) -> Handler:
    """Link the filters, the first one outermost."""
    handler = end
    for one in reversed(filters):
        handler = _bind(one, handler)
    return handler


def _bind(one: Filter, call_next: Handler) -> Handler:
    run = one.__call__

    def handler(exchange: Exchange) -> Awaitable[Response]:
        return run(exchange, call_next)

    return handler
