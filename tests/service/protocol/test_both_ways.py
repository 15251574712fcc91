"""The short way and uvicorn's own class give the same answer to the same bytes.

A newer uvicorn that differs fails here, and not in production.
"""

import asyncio
import os
import re
from itertools import accumulate

import pytest
import uvloop
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.service.processes import ENTITY
from tests.service.protocol.served import alike, exchange, mounted, served

KEY = ENTITY.encode()
FORM = b"content-type: application/x-www-form-urlencoded\r\n"
END = b"connection: close\r\n\r\n"
PUT = b"PUT " + KEY + b"k?a=1 HTTP/1.1\r\nhost: x\r\n\r\n"
GET = b"GET " + KEY + b"k HTTP/1.1\r\nhost: x\r\n\r\n"

TABLE = {
    "one": [PUT],
    "pipelined": [PUT + GET * 5],
    "pipelined, then closed": [PUT + GET + b"GET / HTTP/1.1\r\n" + END + GET],
    "a hundred pipelined": [PUT + GET * 200],
    "byte by byte": [bytes([byte]) for byte in PUT + GET],
    "a body of known length": [
        b"PUT " + KEY + b"k HTTP/1.1\r\n" + FORM + b"content-length: 3\r\n\r\na=1" + GET
    ],
    "a body later": [
        b"PUT " + KEY + b"k HTTP/1.1\r\n" + FORM + b"content-length: 3\r\n\r\n",
        b"a",
        b"=1" + GET,
    ],
    "chunks": [
        b"PUT " + KEY + b"k HTTP/1.1\r\n" + FORM + b"transfer-encoding: chunked\r\n\r\n"
        b"3\r\na=1\r\n4;x=y\r\n&b=\r\n\r\n1\r\n2\r\n0\r\ntrailer: 1\r\n\r\n" + GET
    ],
    "chunks that hold ends": [
        b"POST " + KEY + b"k HTTP/1.1\r\n" + FORM + b"transfer-encoding: chunked\r\n\r\n"
        b"b\r\na=\r\n\r\n\r\n\r\nx\r\n0\r\n\r\n" + GET
    ],
    "a refusal before the body": [
        b"PUT /nothing HTTP/1.1\r\ncontent-length: 10\r\n\r\n",
        b"0123456789" + GET,
    ],
    "expect": [
        b"PUT "
        + KEY
        + b"k HTTP/1.1\r\n"
        + FORM
        + b"expect: 100-continue\r\ncontent-length: 3\r\n\r\n",
        b"a=1",
        GET,
    ],
    "expect without a body": [b"GET " + KEY + b"k HTTP/1.1\r\nexpect: 100-continue\r\n\r\n"],
    "expect something else": [b"GET " + KEY + b"k HTTP/1.1\r\nexpect: tea\r\n\r\n"],
    "expect and a refusal": [
        b"PUT /nothing HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"
    ],
    "an upgrade": [
        b"PUT " + KEY + b"k HTTP/1.1\r\n" + FORM + b"connection: upgrade\r\nupgrade: h2c\r\n"
        b"content-length: 3\r\n\r\na=1" + GET
    ],
    "a websocket": [
        b"GET / HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ],
    "the http/2 preface": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    "http/1.0": [b"GET " + KEY + b"k HTTP/1.0\r\n\r\n" + GET],
    "http/1.0, kept alive": [b"GET " + KEY + b"k HTTP/1.0\r\nconnection: keep-alive\r\n\r\n" + GET],
    "http/0.9": [b"GET /\r\n\r\n"],
    "http/2.0": [b"GET / HTTP/2.0\r\n\r\n"],
    "http/1.2": [b"GET / HTTP/1.2\r\n\r\n"],
    "an absolute target": [b"GET http://x" + KEY + b"k HTTP/1.1\r\nhost: x\r\n\r\n"],
    "an absolute target without a path": [b"GET http://x HTTP/1.1\r\nhost: x\r\n\r\n"],
    "options *": [b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n"],
    "options": [b"OPTIONS " + KEY + b"k HTTP/1.1\r\nhost: x\r\n\r\n"],
    "connect": [b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\nmore"],
    "two slashes": [b"GET //x/y HTTP/1.1\r\n\r\n"],
    "a fragment": [b"GET " + KEY + b"k#f HTTP/1.1\r\n\r\n"],
    "an empty query": [b"GET " + KEY + b"k? HTTP/1.1\r\n\r\n"],
    "two question marks": [b"GET " + KEY + b"k?fields=a?b HTTP/1.1\r\n\r\n"],
    "encoded": [b"PUT " + KEY + b"%C3%A4%2Fb?x=%5Ba HTTP/1.1\r\n\r\n"],
    "badly encoded": [b"GET " + KEY + b"%zz%f HTTP/1.1\r\n\r\n"],
    "not ASCII": [b"GET /\xc3\xa4 HTTP/1.1\r\n\r\n"],
    "control characters": [b"GET " + KEY + b"k\x01\x7f HTTP/1.1\r\n\r\n"],
    "http/2.0, kept alive": [b"GET / HTTP/2.0\r\nconnection: keep-alive\r\n\r\n"],
    "an upgrade without saying so": [b"GET / HTTP/1.1\r\nupgrade: h2c\r\n\r\n" + GET],
    "a bare line feed": [b"GET / HTTP/1.1\nhost: x\n\n"],
    "a bare carriage return": [b"GET / HTTP/1.1\rhost: x\r\r"],
    "empty lines first": [b"\r\n\r\n\r\n" + GET],
    "no head": [b"GET " + KEY + b"k HTTP/1.1\r\nhost x\r\n\r\n"],
    "a folded header": [b"GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n"],
    "two lengths": [b"PUT / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
    "length and chunks": [
        b"PUT / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    ],
    "a negative length": [b"PUT / HTTP/1.1\r\ncontent-length: -1\r\n\r\n"],
    "another coding": [b"PUT / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
    "an unknown coding": [b"PUT / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\nabc"],
    "a bad chunk": [b"PUT /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n"],
    "a valid request, then garbage": [PUT + b"\0garbage\r\n\r\n"],
    "head": [PUT + b"HEAD " + KEY + b"k HTTP/1.1\r\n\r\n" + GET],
    "an unknown method": [b"BREW / HTTP/1.1\r\n\r\n"],
    "a rare method": [b"PATCH " + KEY + b"k HTTP/1.1\r\n\r\n"],
    "a request id": [b"GET / HTTP/1.1\r\nx-request-id: mine\r\n\r\n"],
    "connection: close": [b"GET / HTTP/1.1\r\nConnection: CLOSE\r\n\r\n"],
    "the document": [b"GET /openapi.json HTTP/1.1\r\n\r\n" + GET],
    "the document among others": [
        (GET + b"GET /openapi.json HTTP/1.1\r\nx-request-id: a\r\n\r\n") * 3 + PUT
    ],
    "the document in two pieces, after another request": [
        GET,
        b"GET /openapi.json HT",
        b"TP/1.1\r\n\r\n" + GET,
    ],
    "a fragment in two pieces, after another of its kind": [
        b"GET " + KEY + b"k#f HTTP/1.1\r\n\r\n",
        b"GET " + KEY + b"k#f HT",
        b"TP/1.1\r\n\r\n" + GET,
    ],
    "as much as a head may hold, often": [
        b"GET / HTTP/1.1\r\na: %b\r\n\r\n" % (b"a" * 20_000) * 10
    ],
    "a body too large": [b"PUT " + KEY + b"k HTTP/1.1\r\ncontent-length: 1048577\r\n\r\n"],
    "a head too large": [b"GET / HTTP/1.1\r\na: " + b"a" * 70_000 + b"\r\n\r\n"],
    "a path too long": [b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n"],
}


async def both(
    pieces: list[bytes], half_close: bool = False, patience: float = 0.15
) -> list[bytes]:
    async def one(short_way: bool) -> bytes:
        async with served(mounted(), short_way=short_way) as (port, _):
            if any(b"openapi" in piece for piece in pieces):
                await exchange(port, [b"GET /openapi.json HTTP/1.1\r\n" + END], patience=10)
            return alike(await exchange(port, pieces, half_close=half_close, patience=patience))

    return list(await asyncio.gather(one(True), one(False)))


@pytest.mark.parametrize("half_close", [False, True], ids=["open", "half-closed"])
@pytest.mark.parametrize("name", TABLE)
def test_both_ways_answer_alike(name: str, half_close: bool) -> None:
    short, uvicorns = uvloop.run(both(TABLE[name], half_close))
    assert short == uvicorns
    assert short.startswith(b"HTTP/1.1 "), short
    assert b" 500 " not in short


METHODS = st.sampled_from([b"GET", b"PUT", b"POST", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH", b"X"])
TARGETS = st.sampled_from(
    [KEY + b"k", KEY + b"a,b?fields=a", KEY + b"k?a=$INCR", b"/", b"*", b"/elsewhere?x", b"//x"]
    + [KEY + b"%41?a=[1,2]", b"http://x" + KEY + b"k", KEY + b"k#f", b"x", KEY + b"k?a=%zz"]
)
VERSIONS = st.sampled_from([b"1.1", b"1.1", b"1.1", b"1.0", b"0.9", b"2.0", b"1.2", b"x"])
HEADERS = st.lists(
    st.sampled_from(
        [b"host: x", b"connection: close", b"connection: keep-alive", b"expect: 100-continue"]
        + [FORM[:-2], b"upgrade: h2c", b"connection: upgrade", b"x-request-id: r", b"a:b", b"bad"]
    ),
    max_size=4,
)
BODIES = st.sampled_from(
    [b"\r\n", b"content-length: 3\r\n\r\na=1", b"content-length: 0\r\n\r\n"]
    + [b"transfer-encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n", b"content-length: 9\r\n\r\na=1"]
    + [b"transfer-encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\nt: 1\r\n\r\n"]
    + [b"transfer-encoding: chunked\r\n\r\n5\r\na=1\r\n0\r\n\r\n", b"content-length: x\r\n\r\n"]
)
REQUESTS = st.builds(
    lambda method, target, version, headers, body: (
        b"%b %b HTTP/%b\r\n%b%b"
        % (method, target, version, b"".join(b"%b\r\n" % one for one in headers), body)
    ),
    METHODS,
    TARGETS,
    VERSIONS,
    HEADERS,
    BODIES,
)


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """Requests, cut into pieces between them and anywhere."""
    requests = draw(st.lists(REQUESTS, min_size=1, max_size=4))
    data = b"".join(requests)
    between = st.sampled_from(list(accumulate(map(len, requests))))
    cuts = sorted(draw(st.lists(between | st.integers(1, len(data)), max_size=3)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]


@settings(
    max_examples=int(os.environ.get("HOSTILE_EXAMPLES", "60")),
    deadline=None,
    derandomize="HOSTILE_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
@given(conversations(), st.booleans())
def test_both_ways_answer_alike_whatever_is_sent(pieces: list[bytes], half_close: bool) -> None:
    short, uvicorns = uvloop.run(both(pieces, half_close, 0.05))
    tries = 3
    while short != uvicorns and tries:
        # One of them may have been slow, or uvicorn's class has closed while more was on its way:
        # then the client is reset, and may lose the answer.
        tries -= 1
        short, uvicorns = uvloop.run(both(pieces, half_close, 1.0))
    assert short == uvicorns
    assert b"HTTP/1.1 5" not in short


SOUND = (
    *(b"GET " + KEY + target + b" HTTP/1.1\r\n%b\r\n" for target in (b"k", b"k#f")),
    b"PUT " + KEY + b"k?a=1 HTTP/1.1\r\n%b\r\n",
    b"PUT " + KEY + b"k HTTP/1.1\r\n" + FORM + b"%bcontent-length: 3\r\n\r\na=1",
    b"POST " + KEY + b"k HTTP/1.1\r\n" + FORM + b"%btransfer-encoding: chunked\r\n\r\n"
    b"3\r\na=1\r\n0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n%bcontent-length: 0\r\n\r\n",
)


@st.composite
def numbered(draw: st.DrawFn) -> tuple[int, list[bytes]]:
    """Sound requests with numbers as ids, cut into pieces between them and anywhere. The last one
    closes the connection, so that nobody waits for its silence.
    """
    chosen = draw(st.lists(st.sampled_from(SOUND), min_size=1, max_size=4))
    chosen.append(b"GET / HTTP/1.1\r\n%b" + END)
    requests = [one % b"x-request-id: r%d\r\n" % n for n, one in enumerate(chosen)]
    data = b"".join(requests)
    between = st.sampled_from(list(accumulate(map(len, requests))))
    cuts = sorted(draw(st.lists(between | st.integers(1, len(data)), max_size=6)))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]
    return len(requests), pieces


# uvicorn's class once got the head of the first request together with that of the second.
IN_TWO_PIECES = [
    b"GET " + KEY + b"k HTTP/1.1\r\nx-request-id: r0\r\n\r\n",
    b"GET " + KEY + b"k#f HT",
    b"TP/1.1\r\nx-request-id: r1\r\n\r\n",
    b"GET / HTTP/1.1\r\nx-request-id: r2\r\n" + END,
]


@settings(
    max_examples=int(os.environ.get("HOSTILE_EXAMPLES", "60")),
    deadline=None,
    derandomize="HOSTILE_EXAMPLES" not in os.environ,
)
@example((3, IN_TWO_PIECES), True)
@given(numbered(), st.booleans())
def test_each_request_is_answered_once_and_in_order(
    sent: tuple[int, list[bytes]], short_way: bool
) -> None:
    # Both ways go through our connection, so that they may be wrong alike.
    count, pieces = sent

    async def run() -> bytes:
        async with served(mounted(), short_way=short_way) as (port, _):
            return await exchange(port, pieces)

    answered = uvloop.run(run())
    ids = re.findall(rb"x-request-id: (\S+)", answered)
    assert ids == [b"r%d" % number for number in range(count)]
