"""What the service is measured against: an empty ASGI application, and what one writes first."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio
from fastapi import FastAPI

_BODY = b"x" * 350
_store = redis.asyncio.Redis.from_url(os.environ["BENCH_REDIS"], decode_responses=True)
plain = FastAPI()


@plain.get("/v1/user/{key}")
async def user(key: str) -> dict[str, Any]:
    return {"key": key, "attributes": await _store.hgetall(f"plain:{key}")}


async def bare(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"350")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})
