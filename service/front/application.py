"""The ASGI application of a port: the filter chain first, FastAPI for the rest.

Only `answer` turns errors into responses.
"""

import asyncio
import itertools
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from service.chain import ClientLeft, Exchange, Headers, Request, Response
from service.errors import FilterError
from service.front import problems
from service.front.mounts import Mounted, Release

BODY_LIMIT = 1_048_576  # bytes
_LONGEST_HOST = 262  # 255 and a port
_log = logging.getLogger(__name__)
# control characters, which must not get into a header
CONTROLS = bytes([*range(9), *range(10, 32), 127])
_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Application:
    """The sites of one port. `everything` is all sites of the process, for `/status`."""

    def __init__(
        self, sites: Sequence[Mounted], release: Release, everything: Sequence[Mounted]
    ) -> None:
        self.draining = False
        self._sites = {one.site.host: one for one in sites}
        self._wildcards = any("*" in host for host in self._sites)
        self._only = sites[0] if len(sites) == 1 and not sites[0].site.host else None
        self.cold = frozenset(cold_paths(sites))  # paths that FastAPI answers
        self._build = lambda: _fastapi(sites, release, everything)
        self._fastapi: asyncio.Future[Any] | None = None
        self._prefix = secrets.token_hex(6)
        self._count = itertools.count(1)

    def request_id(self, headers: Headers) -> str:
        for name, value in headers:
            if name == b"x-request-id" and _SANE_ID.fullmatch(value):
                return value.decode()
        return self.new_id()

    def new_id(self) -> str:
        return f"{self._prefix}-{next(self._count):x}"

    async def answer(self, request: Request) -> Response:
        try:
            mounted = self._only or self._by_host(request)
        except FilterError as error:
            return problems.of(error, request.id)
        if mounted is None:
            return problems.problem(404, "there is no such site here", id=request.id)
        try:
            return await mounted.handler(Exchange(request))
        except Exception as error:
            if not mounted.site.logs_errors and not isinstance(error, FilterError):
                _log.exception("request %s failed", request.id)
            return problems.of(error, request.id)

    def _by_host(self, request: Request) -> Mounted | None:
        """Return the site as v1 does: by host, by wildcards from the left, or for any host."""
        hosts = [value for name, value in request.headers if name == b"host"]
        if len(hosts) > 1:  # a proxy in front may have judged by another one
            raise FilterError(400, "more than one Host")
        host = b"".join(hosts)[:_LONGEST_HOST].decode("latin-1").lower()
        name = re.sub(r":\d*$", "", host).strip("[]")
        if name in self._sites:
            return self._sites[name]
        if self._wildcards:
            labels = name.split(".")
            for place in range(len(labels)):
                labels[place] = "*"
                if site := self._sites.get(".".join(labels)):
                    return site
        return self._sites.get("0.0.0.0") or self._sites.get("")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by ASGI: FastAPI's paths, and chain requests that the short way leaves out."""
        if scope["raw_path"] in self.cold:
            id = self.request_id(scope["headers"])
            await (await self._behind())(scope, receive, _with_id(send, id))
            return
        await self._hot(scope, receive, send)

    async def _behind(self) -> Any:
        """Return FastAPI, loaded on first use: it is a third of the memory and start-up time."""
        failed = self._fastapi is not None and self._fastapi.done() and self._fastapi.exception()
        if self._fastapi is None or failed:
            self._fastapi = asyncio.ensure_future(asyncio.to_thread(self._build))
        return await asyncio.shield(self._fastapi)

    async def _hot(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(
            scope["method"],
            scope["raw_path"],
            path=scope["path"],
            query_string=scope["query_string"],
            headers=scope["headers"],
            scheme=scope["scheme"],
            id=self.request_id(scope["headers"]),
        )
        request.pending = lambda: _body(receive)
        try:
            response = await self.answer(request)
        except ClientLeft:
            return  # an incomplete write must not be executed
        await _send(response, request, send)


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while (message := await receive())["type"] == "http.request":
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_LIMIT:
            raise FilterError(413, "the request's body is too large")
        if not message.get("more_body"):
            return b"".join(parts)
    raise ClientLeft()


def _with_id(send: Send, id: str) -> Send:
    async def with_id(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-request-id", id.encode())]
        await send(message)

    return with_id


async def _send(response: Response, request: Request, send: Send) -> None:
    headers = [(b"x-request-id", request.id.encode())]
    headers += [(n, v.translate(None, CONTROLS)) for n, v in response.headers]
    body = response.body
    if response.status in (204, 304):
        body = b""
    else:
        headers.append((b"content-type", response.content_type))
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    body = b"" if request.method == "HEAD" else body
    await send({"type": "http.response.body", "body": body})


def cold_paths(sites: Sequence[Mounted]) -> list[bytes]:
    """Return the paths that FastAPI answers; `/status` only on sites that do not face clients."""
    status = any(one.site.tells_status for one in sites)
    return [b"/openapi.json", *([b"/status", b"/status/fallback"] if status else [])]


def _fastapi(sites: Sequence[Mounted], release: Release, everything: Sequence[Mounted]) -> Any:
    from service import app

    return app.behind(sites, release, everything, status=b"/status" in cold_paths(sites))
