"""The FastAPI application behind the chains: the OpenAPI document of what is mounted, `/status`."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi import Request as ColdRequest
from fastapi.responses import Response as ColdResponse
from starlette.exceptions import HTTPException

from service.app import openapi
from service.chain import Response
from service.entities import form
from service.front import problems
from service.front.mounts import Mounted, Release


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
        app.get("/status/fallback")(_fallback(everything))
    generated = app.openapi()
    app.openapi = lambda: openapi.document(generated, sites)  # type: ignore[method-assign]
    return app


def _status(
    release: Release, everything: Sequence[Mounted]
) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def status() -> dict[str, Any]:
        """What is running, and how its parts are. One worker's view."""
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


def _fallback(everything: Sequence[Mounted]) -> Callable[[], Awaitable[ColdResponse]]:
    async def fallback() -> ColdResponse:
        """What was written while Redis was away, as requests that can be sent again."""
        written = {f"{one.site.host}:{one.site.port}": one.site.written() for one in everything}
        # Thousands of them: beside the requests, not between them.
        body = await asyncio.to_thread(_requests, written)
        return ColdResponse(body, media_type="application/json")

    return fallback


def _requests(written: Mapping[str, Iterable[form.Write]]) -> bytes:
    sites = {name: [form.request(one) for one in writes] for name, writes in written.items()}
    return orjson.dumps({"pid": os.getpid(), "sites": sites})


async def _http_problem(request: ColdRequest, error: Exception) -> ColdResponse:
    assert isinstance(error, HTTPException)
    return _cold(problems.problem(error.status_code, str(error.detail)), error.headers)


async def _bug(request: ColdRequest, error: Exception) -> ColdResponse:
    return _cold(problems.of(error, ""), None)


def _cold(response: Response, headers: Mapping[str, str] | None) -> ColdResponse:
    media_type = problems.CONTENT_TYPE.decode()
    return ColdResponse(response.body, response.status, headers, media_type=media_type)
