"""The auth server's door, against a real server that is slow, refuses, redirects or raves."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.auth.errors import Refused, Unavailable
from service.auth.refresh import MAX_ANSWER, AuthServer, Client
from tests.service import auth_server as fake
from tests.service.auth_server import ACCESS_TOKEN, CLIENT_TOKEN, CONTEXT, REFRESH_TOKEN, Reply


@pytest.fixture
def server() -> Iterator[fake.AuthServer]:
    with fake.serve() as running:
        yield running


async def no_pause(seconds: float) -> None: ...


def ask(
    url: str,
    call: Callable[[AuthServer], Awaitable[Any]],
    *,
    timeout: float = 5.0,
    skipverify: bool = False,
    follow: bool = False,
) -> Any:
    async def main() -> Any:
        client = Client(url, timeout=timeout, skipverify=skipverify, follow=follow)
        client.open()
        try:
            return await call(AuthServer(url, client, sleep=no_pause))
        finally:
            await client.close()

    return asyncio.run(main())


def refresh(auth: AuthServer) -> Awaitable[str]:
    return auth.access_token(REFRESH_TOKEN)


def context(auth: AuthServer) -> Awaitable[Any]:
    return auth.security_context(ACCESS_TOKEN, CLIENT_TOKEN)


async def exchanged(auth: AuthServer) -> Any:
    return await auth.security_context(await auth.access_token(REFRESH_TOKEN), CLIENT_TOKEN)


def test_the_refresh_token_is_exchanged_by_a_form(server: fake.AuthServer) -> None:
    assert ask(server.url, refresh) == ACCESS_TOKEN
    (call,) = server.calls
    assert (call.method, call.path, call.query) == ("POST", "/v1/access_token", {})
    assert call.form == {"grant_type": ["refresh_token"], "refresh_token": [REFRESH_TOKEN]}
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"


def test_the_client_token_is_escaped_and_ours_vouches_for_the_call(server: fake.AuthServer) -> None:
    assert ask(server.url, context) == CONTEXT
    (call,) = server.calls
    assert (call.method, call.path) == ("GET", "/v1/security_context")
    assert call.query == {"access_token": [CLIENT_TOKEN]}
    assert call.headers["authorization"] == f"Bearer {ACCESS_TOKEN}"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400),
        Reply(401),
        Reply(403, b"not JSON"),
        Reply(200, b'{"message": "Forbidden"}'),
        Reply(200, b'{"error": "expired"}'),
        Reply(200, b'{"error": ""}'),
        Reply(200, b'{"error": false, "scope": {}}'),
    ],
)
def test_a_refusal_is_final(server: fake.AuthServer, reply: Reply) -> None:
    server.answer = lambda call: reply
    with pytest.raises(Refused):
        ask(server.url, context)
    assert len(server.calls) == 1


def test_an_error_of_null_is_no_error(server: fake.AuthServer) -> None:
    server.answer = lambda call: Reply(200, b'{"error": null, "user": "u1"}')
    assert ask(server.url, context) == {"error": None, "user": "u1"}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(500), "status 500"),
        (Reply(503, b'{"message": "Forbidden"}'), "status 503"),
        (Reply(404), "status 404"),
        (Reply(429), "status 429"),
        (Reply(204, b""), "status 204"),
        (Reply(201, json.dumps(CONTEXT).encode()), "status 201"),
        (Reply(302, b"", (("location", "/elsewhere"),)), "status 302"),
        (Reply(200, b""), "not a JSON object"),
        (Reply(200, b"<html>"), "not a JSON object"),
        (Reply(200, b"[1]"), "not a JSON object"),
        (Reply(200, b'"text"'), "not a JSON object"),
        (Reply(200, b"null"), "not a JSON object"),
        (Reply(200, b'{"a": "\xff"}'), "not a JSON object"),
        (Reply(200, b'{"a":' * 5000), "not a JSON object"),
        (Reply(200, b'{"a": 1', (("content-encoding", "gzip"),)), "not a JSON object"),
        (Reply(200, b" " * (MAX_ANSWER + 1)), "more than"),
    ],
)
def test_anything_else_is_tried_twice_and_then_not_an_answer(
    server: fake.AuthServer, reply: Reply, message: str
) -> None:
    server.answer = lambda call: reply
    with pytest.raises(Unavailable, match=f"^GET /v1/security_context: .*{message}") as caught:
        ask(server.url, context)
    assert not caught.value.timed_out
    assert len(server.calls) == 2


def test_one_bad_moment_is_forgiven(server: fake.AuthServer) -> None:
    replies = iter([Reply(500), Reply(200, json.dumps(CONTEXT).encode())])
    server.answer = lambda call: next(replies)
    assert ask(server.url, context) == CONTEXT


def test_a_slow_server_is_waited_for_twice_and_no_longer(server: fake.AuthServer) -> None:
    server.answer = lambda call: Reply(delay=1.0)
    begin = time.monotonic()
    with pytest.raises(Unavailable, match=r"no answer in 0.2 s") as caught:
        ask(server.url, context, timeout=0.2)
    assert caught.value.timed_out
    assert 0.4 <= time.monotonic() - begin < 1.9


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(Unavailable, match=r"ConnectError") as caught:
        ask(f"http://127.0.0.1:{port}", context)
    assert not caught.value.timed_out


def test_redirects_are_followed_only_when_wanted(server: fake.AuthServer) -> None:
    def moved(call: fake.Call) -> Reply:
        if call.path == "/elsewhere":
            return Reply(200, json.dumps(CONTEXT).encode())
        return Reply(307, b"", (("location", "/elsewhere"),))

    server.answer = moved
    assert ask(server.url, context, follow=True) == CONTEXT
    with pytest.raises(Unavailable, match="status 307"):
        ask(server.url, context)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", ["/v1/access_token", "/v1/security_context"])
def test_a_redirect_never_carries_a_token_to_another_server(
    server: fake.AuthServer, status: int, call: str
) -> None:
    def answer(request: fake.Call) -> Reply:
        if request.path != call:
            return fake.answer(request)
        return Reply(status, b"", (("location", f"{other.url}{request.path}"),))

    with fake.serve() as other:
        server.answer = answer
        for follow in (True, False):
            with pytest.raises(Unavailable):
                ask(server.url, exchanged, follow=follow)
        assert other.calls == []


def test_a_post_is_not_sent_again_wherever_it_is_redirected(server: fake.AuthServer) -> None:
    def answer(request: fake.Call) -> Reply:
        return Reply(307, b"", (("location", "/elsewhere"),))

    server.answer = answer
    with pytest.raises(Unavailable, match="a redirect of a POST"):
        ask(server.url, exchanged, follow=True)
    assert {request.path for request in server.calls} == {"/v1/access_token"}


def test_a_get_is_followed_on_its_own_server(server: fake.AuthServer) -> None:
    def answer(request: fake.Call) -> Reply:
        if request.path == "/v1/security_context":
            return Reply(302, b"", (("location", "/moved"),))
        assert request.headers["authorization"] == f"Bearer {ACCESS_TOKEN}"
        return Reply(200, json.dumps(CONTEXT).encode())

    server.answer = answer
    assert ask(server.url, context, follow=True) == CONTEXT


def test_endless_redirects_end(server: fake.AuthServer) -> None:
    server.answer = lambda call: Reply(302, b"", (("location", "/again"),))
    with pytest.raises(Unavailable, match="more than 5 redirects"):
        ask(server.url, context, follow=True)


def test_a_bad_certificate_is_refused_unless_told_to_skip_it(tmp_path: Path) -> None:
    with fake.serve(fake.self_signed(tmp_path)) as server:
        with pytest.raises(Unavailable, match="ConnectError: self-signed certificate"):
            ask(server.url, context)
        assert server.calls == []
        assert ask(server.url, context, skipverify=True) == CONTEXT


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(403), "our refresh token was not accepted"),
        (Reply(200, b'{"message": "Forbidden"}'), "our refresh token was not accepted"),
        (Reply(200, b"{}"), "no jwt_token"),
        (Reply(200, b'{"jwt_token": 5}'), "no jwt_token"),
        (Reply(200, b'{"jwt_token": "a\\r\\nx: y"}'), "no jwt_token"),
        (Reply(500), "status 500"),
    ],
)
def test_that_we_get_no_access_token_is_never_the_clients_fault(
    server: fake.AuthServer, reply: Reply, message: str
) -> None:
    server.answer = lambda call: reply
    with pytest.raises(Unavailable, match=message):
        ask(server.url, refresh)


def test_cookies_that_the_server_sets_are_not_sent_for_the_next_client(
    server: fake.AuthServer,
) -> None:
    server.answer = lambda call: Reply(200, b"{}", (("set-cookie", "session=mine; Path=/"),))

    async def twice(auth: AuthServer) -> None:
        await auth.security_context("a", "first", "own=1")
        await auth.security_context("a", "second")

    ask(server.url, twice)
    assert [call.headers.get("cookie") for call in server.calls] == ["own=1", None]


def test_no_token_is_logged_or_said(
    server: fake.AuthServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ask(server.url, refresh)
    ask(server.url, context)
    server.answer = lambda call: Reply(500, CLIENT_TOKEN.encode())
    with pytest.raises(Unavailable) as caught:
        ask(server.url, context)
    assert "canary" not in caplog.text + repr(caught.value)
