"""The vocabulary of the filter chain: what a request carries and what a filter is.

A filter is Caddy's middleware: it gets the exchange and the next handler, and returns the
response. Whatever goes wrong is raised, logged once by `awscloudwatch`, answered once by the
site's application. Filters talk to each other through the exchange's slots only.

A request runs without an asyncio task of its own until a filter asks for one: see `own_task`.
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
    """`path` is percent-decoded, `raw_path` is what the client sent, without the query.

    Header names are lower case. `id` is the client's X-Request-Id when it is sane, else ours.
    A request may be judged by its head: while `pending` is set, `complete` has to be awaited
    before `body` is read. What refuses a request earlier spares everybody its body.
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
    """The body will not come. Not an Exception, because nothing went wrong: nobody is answered."""


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
    """One that has nothing to wait for returns what `call_next` gave: a coroutine less."""

    def __call__(self, exchange: Exchange, call_next: Handler) -> Awaitable[Response]: ...


@dataclass
class Site:
    """One address of a server block, and what its filters share; it replaces v1's globals.

    `startup` runs in order before the first request, `shutdown` in reverse after the last.
    `status` holds what each filter tells `/status`, by directive name; never a secret.
    `written` gives the writes that the fallback's map has and Redis has not; it answers this host
    only, unless `written_is_open`.
    `paths` holds what each filter answers, as path items of the OpenAPI document.
    What the edge has to know of the filters they say themselves: `tells_status` that this site is
    not for clients, and so answers `/status`; `logs_errors` that a filter logs what goes wrong;
    `guards` what an unknown client is answered, as responses of the OpenAPI document.
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
    tells_status: bool = False
    logs_errors: bool = False
    guards: dict[str, Any] = field(default_factory=dict)


async def own_task() -> None:
    """Go on in a task. Needed before whatever asks for the current one: asyncio.timeout, httpx."""
    await asyncio.sleep(0)


async def in_thread(call: Callable[[], T]) -> T:
    """Beside the event loop, in a thread that nobody waits for when the process ends."""
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
        with suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, daemon=True).start()
    return await done


@types.coroutine
def rest_of(started: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """What is left of a coroutine that is under way, to be awaited by somebody else."""
    result: T = yield from started
    return result


def link(filters: Sequence[Filter], end: Handler) -> Handler:
    """Fold the filters back to front, so that the first one is outermost."""
    handler = end
    for one in reversed(filters):
        handler = _bind(one, handler)
    return handler


def _bind(one: Filter, call_next: Handler) -> Handler:
    run = one.__call__

    def handler(exchange: Exchange) -> Awaitable[Response]:
        return run(exchange, call_next)

    return handler
