"""The FastAPI application behind the chains: `/status`, and the OpenAPI document."""

import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from itertools import islice
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi import Request as ColdRequest
from fastapi.responses import Response as ColdResponse
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from service.app import openapi
from service.chain import Response, Site
from service.entities import form
from service.front import problems
from service.front.mounts import Mounted, Release

_AT_ONCE = 100  # writes in one piece of a response


def behind(
    sites: Sequence[Mounted], release: Release, everything: Sequence[Mounted], *, status: bool
) -> FastAPI:
    app = FastAPI(
        title="service",
        version=release.version,
        docs_url=None,
        redoc_url=None,
        exception_handlers={HTTPException: _http_problem, Exception: _bug},
    )
    if status:
        app.get("/status")(_status(release, everything))
        app.get("/status/fallback", response_class=StreamingResponse)(_fallback(everything))
    generated = app.openapi()
    app.openapi = lambda: openapi.document(generated, sites)  # type: ignore[method-assign]
    return app


def _status(
    release: Release, everything: Sequence[Mounted]
) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def status() -> dict[str, Any]:
        """Show the release and the state of each site, as this worker sees it."""
        return {
            "version": release.version,
            "commit": release.commit,
            "caddyfile_sha256": release.caddyfile,
            "pid": os.getpid(),
            "uptime_seconds": int(time.time() - release.begun),
            "sites": {
                f"{one.site.host}:{one.site.port}": {
                    name: dict(tell()) for name, tell in one.site.status.items()
                }
                for one in everything
            },
        }

    return status


def _fallback(
    everything: Sequence[Mounted],
) -> Callable[[ColdRequest], Awaitable[StreamingResponse]]:
    async def fallback(request: ColdRequest) -> StreamingResponse:
        """Show what was written while Redis was away, as requests that can be sent again."""
        here = _is_this_host(request)
        shown = [one.site for one in everything if here or one.site.written_is_open]
        if not shown:
            raise HTTPException(403, "this is answered to the service's own host only")
        # There may be thousands of writes: send them in pieces, so that other requests get their
        # turn.
        return StreamingResponse(_requests(shown), media_type="application/json")

    return fallback


def _is_this_host(request: ColdRequest) -> bool:
    """Return whether the client is this host itself, and not a proxy on it."""
    proxied = {"forwarded", "x-forwarded-for", "x-real-ip", "via"} & {*request.headers}
    address = request.client.host if request.client else ""
    try:
        return not proxied and ip_address(address.removeprefix("::ffff:")).is_loopback
    except ValueError:
        return False


def _requests(sites: Sequence[Site]) -> Iterator[bytes]:
    yield b'{"pid":%d,"sites":{' % os.getpid()
    comma = b""
    for site in sites:
        yield comma + orjson.dumps(f"{site.host}:{site.port}") + b":["
        writes = iter(site.written())
        comma = b""
        while some := [orjson.dumps(form.request(one)) for one in islice(writes, _AT_ONCE)]:
            yield comma + b",".join(some)
            comma = b","
        yield b"]"
        comma = b","
    yield b"}}"


async def _http_problem(request: ColdRequest, error: Exception) -> ColdResponse:
    assert isinstance(error, HTTPException)
    return _cold(problems.problem(error.status_code, str(error.detail)), error.headers)


async def _bug(request: ColdRequest, error: Exception) -> ColdResponse:
    return _cold(problems.of(error, ""), None)


def _cold(response: Response, headers: Mapping[str, str] | None) -> ColdResponse:
    media_type = problems.CONTENT_TYPE.decode()
    return ColdResponse(response.body, response.status, headers, media_type=media_type)
