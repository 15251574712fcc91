"""reauth: the order of rules, the backends, and what they may take."""

import asyncio
import base64
import time
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.auth.backends import TOKEN_BYTES
from service.auth.contexts import Refusals
from service.chain import Exchange, Request, Response
from service.errors import StartError
from tests.service import auth_server as fake
from tests.service.auth_server import CONTEXT, REFRESH_TOKEN, Reply
from tests.service.filters.reauth_site import (
    BEARER,
    RIGHT,
    SIMPLE,
    Served,
    block,
    get,
    refreshing,
)


def test_paths_excepts_and_basic_auth() -> None:
    served = Served(block("path /test", "except /test/foo", "except /test/bar", SIMPLE))
    assert served(
        get("/"),
        get("/test"),
        get("/test/foo"),
        get("/test", RIGHT),
        get("/TEST", None),
        get("/testing", None),
        get("/test", b"Basic " + base64.b64encode(b"user:wrong")),
        get("/test", b"Basic " + base64.b64encode(b"nobody:canary-password")),
        get("/test", b"Basic !!!"),
        get("/test", b"Basic " + base64.b64encode(b"user")),
        get("/test", b"basic " + base64.b64encode(b"other:word")),
    ) == [200, 401, 200, 200, 401, 401, 401, 401, 401, 401, 200]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("//v1/x", 401),
        ("/./v1/x", 401),
        ("/other/../v1/x", 401),
        ("/v1/keys/../../../../x", 401),
        ("/v1/public/x", 200),
        ("/v1/public/../x", 401),
        ("/v1/x/../public", 401),
        ("/V1/PUBLIC/x", 200),
        ("/v2", 200),
    ],
)
def test_no_detour_leads_past_a_rule(path: str, status: int) -> None:
    served = Served(block("path /v1", "except /v1/public", SIMPLE))
    assert served(get(path)) == [status]


def test_the_first_rule_that_applies_decides() -> None:
    first = block("path /a", "except /a/b", "simple one=1", "failure status code=418")
    second = block("path /", "except /free", "simple two=2", "failure status code=403")
    served = Served(f"{first}\n{second}")
    two = b"Basic " + base64.b64encode(b"two:2")
    assert served(get("/a"), get("/a", two), get("/a/b"), get("/a/b", two), get("/free")) == [
        418,
        418,
        403,
        200,
        200,
    ]


def test_a_token_gives_a_context_and_is_asked_about_once(server: fake.AuthServer) -> None:
    served = refreshing(server)
    assert served(get("/v1/x", BEARER), get("/v1/y", BEARER), get("/free")) == [200, 200, 200]
    assert [each.security_context for each in served.passed] == [CONTEXT, CONTEXT, None]
    assert server.count("/v1/security_context") == 1
    status = served.site.status["reauth"]()
    assert (status["hits"], status["asked"]) == (1, 1)


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"Bearer",
        b"Bearer ",
        b"bearer x",
        b"Bearer  x",
        b"Bearer x y",
        b" Bearer x",
        b"Bearer\tx",
        b"Bearer \xff",
        b"Bearer a\x01b",
        b"Token x",
        RIGHT,
    ],
)
def test_a_malformed_authorization_goes_to_the_failure_handler_without_a_call(
    server: fake.AuthServer, header: bytes | None
) -> None:
    served = refreshing(server)
    assert served(get("/v1/x", header)) == [401]
    assert (served.passed, server.calls) == ([], [])


def test_a_token_that_nobody_knows_is_refused_each_time_and_asked_about_once(
    server: fake.AuthServer,
) -> None:
    served = refreshing(server)
    assert served(*[get("/v1/x", b"Bearer Something") for _ in range(50)]) == [401] * 50
    assert server.count("/v1/security_context") == 1


@pytest.mark.parametrize("character", [b"t", b"%"])
def test_a_token_longer_than_any_is_refused_and_nobody_is_asked(
    server: fake.AuthServer, character: bytes
) -> None:
    served = refreshing(server)
    longest = b"Bearer " + character * TOKEN_BYTES
    assert served(get("/v1/x", longest), get("/v1/x", longest + b"t")) == [401, 401]
    assert server.count("/v1/security_context") == 1


@pytest.mark.parametrize("status", [414, 431])
def test_what_is_too_long_for_the_auth_server_is_refused(
    server: fake.AuthServer, status: int
) -> None:
    served = refreshing(server)
    assert served(get("/v1/x", BEARER)) == [200]
    server.answer = lambda call: Reply(status)
    assert served(get("/v1/x", BEARER + b"x")) == [401]


def test_a_server_in_trouble_is_502_and_a_slow_one_504(server: fake.AuthServer) -> None:
    server.answer = lambda call: Reply(500)
    assert refreshing(server)(get("/v1/x", BEARER)) == [502]
    server.answer = lambda call: Reply(delay=0.5)
    assert refreshing(server, "timeout=50ms")(get("/v1/x", BEARER)) == [504]


def test_a_refused_refresh_token_is_502(server: fake.AuthServer) -> None:
    assert refreshing(server, secrets="wrong")(get("/v1/x", BEARER)) == [502]


def test_the_secret_of_that_name_goes_before_the_first(server: fake.AuthServer) -> None:
    text = block("path /v1", f"refresh url={server.url}")
    served = Served(text, {"other": "x", "refresh_token": REFRESH_TOKEN})
    assert served(get("/v1/x", BEARER)) == [200]


@pytest.mark.parametrize("secrets", [{}, {"a": 5}, {"a": ""}, {"a": {"b": "canary"}}])
def test_no_refresh_token_is_a_start_error(secrets: dict[str, object]) -> None:
    with pytest.raises(StartError, match="needs a refresh token") as caught:
        Served(block("path /v1", "refresh url=http://127.0.0.1:1"), secrets)
    assert "canary" not in str(caught.value)


def test_backends_are_asked_in_order_until_one_vouches(server: fake.AuthServer) -> None:
    text = block("path /v1", SIMPLE, f"refresh url={server.url}", "failure status code=403")
    served = Served(text, {"a": REFRESH_TOKEN})
    requests = [get("/v1", RIGHT), get("/v1", BEARER), get("/v1", b"Bearer no"), get("/v1")]
    assert served(*requests) == [200, 200, 403, 403]


def test_cookies_go_along_only_when_wanted(server: fake.AuthServer) -> None:
    request = get("/v1/x", BEARER, b"", b"", (b"cookie", b"session=1"))
    refreshing(server)(request)
    assert [call.headers.get("cookie") for call in server.calls] == [None, None]
    server.calls.clear()
    refreshing(server, "cookies=true")(request)
    assert [call.headers.get("cookie") for call in server.calls] == ["session=1", "session=1"]


@pytest.mark.parametrize(
    ("reply", "status"),
    [(Reply(200), 200), (Reply(401), 401), (Reply(204), 401), (Reply(302), 401), (Reply(503), 502)],
)
def test_upstream_vouches_with_a_200(server: fake.AuthServer, reply: Reply, status: int) -> None:
    server.answer = lambda call: reply
    served = Served(block("path /v1", f"upstream url={server.url}"))
    assert served(get("/v1", RIGHT)) == [status]
    assert [call.headers["authorization"].encode() for call in server.calls] == [RIGHT]


def test_upstream_follows_waits_and_sends_cookies_as_told(server: fake.AuthServer) -> None:
    def moved(call: fake.Call) -> Reply:
        if call.path == "/elsewhere":
            return Reply(200)
        return Reply(302, headers=(("location", "/elsewhere"),))

    server.answer = moved
    line = f"upstream url={server.url}"
    request = get("/v1", RIGHT, b"", b"", (b"cookie", b"session=1"))
    assert Served(block("path /v1", f"{line},follow=true"))(request) == [200]
    assert [call.headers.get("cookie") for call in server.calls] == [None, None]
    server.calls.clear()
    assert Served(block("path /v1", f"{line},cookies=true"))(request) == [401]
    assert [call.headers.get("cookie") for call in server.calls] == ["session=1"]
    server.answer = lambda call: Reply(delay=0.5)
    assert Served(block("path /v1", f"{line},timeout=50ms"))(request) == [504]


def test_each_failure_handler_answers_for_its_rule() -> None:
    served = Served(
        f"{block('path /basic', SIMPLE, 'failure basicauth realm=r')}\n"
        f"{block('path /away', SIMPLE, 'failure redirect target=/login?r={uri},code=307')}\n"
        f"{block('path /status', SIMPLE, 'failure status code=418')}\n"
        f"{block('path /empty', SIMPLE, 'failure status code=204')}"
    )
    paths = ("/basic", "/away", "/status", "/empty")
    assert served(*map(get, paths)) == [401, 307, 418, 204]
    assert served.passed == []


def test_upstream_is_not_asked_without_basic_credentials(server: fake.AuthServer) -> None:
    served = Served(block("path /v1", f"upstream url={server.url}"))
    assert served(get("/v1"), get("/v1", BEARER)) == [401, 401]
    assert server.calls == []


@given(
    path=st.text(max_size=40).map(lambda text: "/" + text),
    query=st.binary(max_size=60),
    header=st.one_of(
        st.none(), st.binary(max_size=60), st.binary(max_size=40).map(b"Basic ".__add__)
    ),
    host=st.binary(max_size=20),
    body=st.binary(max_size=60),
)
@settings(deadline=None)
def test_whatever_a_client_sends_it_is_passed_or_refused(
    path: str, query: bytes, header: bytes | None, host: bytes, body: bytes
) -> None:
    first = block("path /v1", SIMPLE, "failure redirect target=http://x/?r={uri}")
    served = Served(f"{first}\n{block('path /', 'except /free', SIMPLE)}")
    headers = [(b"host", host), (b"content-type", b"application/x-www-form-urlencoded")]
    if header is not None:
        headers.append((b"authorization", header))
    raw = path.encode("utf-8", "surrogatepass")
    request = Request("GET", raw, path=path, query_string=query, headers=headers, body=body)
    (status,) = served(request)
    assert status in ((200,) if served.passed else (302, 401))
    names = [pair.partition(b"=")[0] for pair in request.query_string.split(b"&")]
    assert b"security_context" not in map(unquote_to_bytes, names)


def test_a_hit_never_waits(server: fake.AuthServer) -> None:
    served = refreshing(server)
    request = get("/v1/cids/a/entity_types/b/domains/c/keys/d", BEARER)
    response = Response(200)

    async def done(exchange: Exchange) -> Response:
        return response

    async def main() -> None:
        for start in served.site.startup:
            await start()
        await served.send(request)
        assert served.filter is not None
        with pytest.raises(StopIteration) as finished:
            next(served.filter(Exchange(request), done).__await__())
        assert finished.value.value is response
        for stop in served.site.shutdown:
            await stop()

    asyncio.run(main())


def test_bad_tokens_and_a_slow_server_starve_neither_known_tokens_nor_new_good_ones(
    server: fake.AuthServer,
) -> None:
    def slow_for_strangers(call: fake.Call) -> Reply:
        if call.query.get("access_token", [""])[0].startswith("bad"):
            return Reply(401, delay=3.0)
        return fake.answer(call)

    server.answer = slow_for_strangers
    served = refreshing(server, "timeout=5s")
    bad = [get("/v1/x", b"Bearer bad%d" % number) for number in range(300)]

    async def flood() -> tuple[int, float, set[int]]:
        floods = [asyncio.create_task(served.send(request)) for request in bad]
        await asyncio.sleep(0.5)
        begin = time.perf_counter()
        status = await served.send(get("/v1/x", BEARER))
        took = time.perf_counter() - begin
        return status, took, set(await asyncio.gather(*floods))

    status, took, others = served.run(flood)
    assert status == 200
    assert took < 2
    assert others == {401, 503}


def test_refusals_are_forgotten_after_a_while_and_depend_on_the_cookie() -> None:
    clock = [0.0]
    refusals = Refusals(lambda: clock[0], seconds=10)
    refusals.add(b"Bearer x", None)
    assert refusals.has(b"Bearer x", None) and not refusals.has(b"Bearer x", "a=1")
    clock[0] = 11
    assert not refusals.has(b"Bearer x", None)
    for number in range(10_000):
        refusals.add(b"%d" % number, None)
    assert refusals.has(b"9999", None) and not refusals.has(b"0", None)
