"""reauth: what must not come in, and what must not get out."""

import asyncio
import logging
import time
from pathlib import Path

import pytest

from service.chain import Exchange, Request
from service.errors import FilterError
from service.filters import reauth
from tests.service import auth_server as fake
from tests.service.auth_server import Reply
from tests.service.filters.reauth_site import (
    BEARER,
    SIMPLE,
    Served,
    block,
    get,
    refreshing,
)


@pytest.mark.parametrize(
    "text",
    [
        b"security_context" + b"+" * 100 + b"x&",
        b"security%5fcontex%54x&",
        b"&%20+" * 20,
        b"%73security_contex&",
    ],
)
def test_what_is_nearly_a_context_is_looked_through_once(text: bytes) -> None:
    query = text * (1_000_000 // len(text)) + b"%"
    begin = time.process_time()
    assert reauth.without_context(query) == query
    assert time.process_time() - begin < 0.3  # 64 KB, and no token, took minutes


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (b"security_context=x", b""),
        (b"a=1&security_context=x&b=2", b"a=1&b=2"),
        (b"%73ecurity_context=x&a=%20", b"a=%20"),
        (b"Security_Context=x&a=1", b"a=1"),
        (b"security%5Fcontext", b""),
        (b"+security_context=x", b""),
        (b"security_contexts=x&a=security_context", b"security_contexts=x&a=security_context"),
        (b"a=%zz&&b", b"a=%zz&&b"),
    ],
)
def test_a_client_cannot_bring_its_own_context(query: bytes, kept: bytes) -> None:
    served = Served(block("path /v1", SIMPLE))
    form = (b"content-type", b"Application/x-www-form-urlencoded; charset=utf-8")
    json = (b"content-type", b"application/json")
    served(get("/free", None, query, query, form), get("/free", None, b"", query, json))
    first, second = (exchange.request for exchange in served.passed)
    assert (first.query_string, first.body) == (kept, kept)
    assert second.body == query
    assert served.passed[0].security_context is None


def test_a_refusal_says_why_to_the_log_and_not_to_the_client() -> None:
    served = Served(block("path /v1", SIMPLE))

    async def main() -> None:
        assert served.filter is not None
        await served.filter(Exchange(get("/v1")), served._below)

    with pytest.raises(FilterError) as caught:
        asyncio.run(main())
    assert caught.value.detail == "Unauthorized"
    assert str(caught.value.__cause__) == "no user with this password"


def test_tokens_are_in_no_log_error_file_or_status(
    server: fake.AuthServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    served = refreshing(server, f"cache_path={tmp_path}", "timeout=200ms")
    said = []

    async def send(request: Request) -> None:
        try:
            assert served.filter is not None
            await served.filter(Exchange(request), served._below)
        except FilterError as error:
            said.append(f"{error!r} {error.__cause__!r} {error.__context__!r}")

    async def main() -> None:
        for start in served.site.startup:
            await start()
        await send(get("/v1", BEARER))
        for reply in (Reply(500), Reply(401), Reply(delay=0.5), Reply(200, b"canary {")):
            server.answer = lambda call, reply=reply: reply  # type: ignore[misc]
            await send(get("/v1", b"Bearer canary-unknown"))
        said.append(repr(served.site.status["reauth"]()))
        for stop in served.site.shutdown:
            await stop()

    asyncio.run(main())
    files = [
        file.name.encode() + file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()
    ]
    assert len(said) == 5
    assert len(files) == 2
    assert b"canary" not in b"".join(files)
    assert "canary" not in caplog.text + "".join(said)
