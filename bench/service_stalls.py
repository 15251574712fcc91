"""How long one legal request keeps all others waiting, in CPU of the event loop's thread.

The dearest requests that are allowed are sent one by one; a task that does nothing but yield
measures the longest piece of CPU between two of its turns.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Mapping
from functools import partial

import uvicorn
import uvloop
from uvicorn.server import ServerState

from bench import service_processes as processes
from bench.report import Row, report
from service import caddyfile, directives
from service.entities.mapping import ATTRIBUTES_LIMIT, FIELDS_LIMIT, ITEMS_LIMIT, VALUES_LIMIT
from service.front.application import BODY_LIMIT, Application
from service.front.mounts import Release, mount
from service.protocol.connection import Connection
from service.protocol.limits import CHUNKS_LIMIT, HEAD_LIMIT
from service.protocol.port import Port

CADDYFILE = """
:8082 {
 reauth {
  path /v2
  simple a=b
 }
 transformrequest {
  scope off
 }
 redis 127.0.0.1:REDIS {
  timeout 10s
 }
 transformresponse
}
"""
KEY = b"/v1/cids/c/entity_types/t/domains/d/keys/"
FORM = b"content-type: application/x-www-form-urlencoded\r\n"
KEYS = b",".join(b"k%d" % n for n in range(100))


def _put(body: bytes, key: bytes = b"k", method: bytes = b"PUT") -> bytes:
    head = b"%b %b%b HTTP/1.1\r\n%bcontent-length: %d\r\n\r\n"
    return head % (method, KEY, key, FORM, len(body)) + body


def requests() -> Mapping[str, bytes]:
    escapes = b"a=" + b"%41" * (BODY_LIMIT // 3 - 1)
    attributes = b"&".join(
        b"a%d=%b" % (n, b"%41" * (BODY_LIMIT // 3 // ATTRIBUTES_LIMIT - 4))
        for n in range(ATTRIBUTES_LIMIT)
    )
    items = b"a=[" + b",".join([b"%41" * 30] * ITEMS_LIMIT) + b"]"
    piece = BODY_LIMIT // CHUNKS_LIMIT
    chunks = b"%x\r\n%b\r\n" % (piece, b"x" * piece) * (CHUNKS_LIMIT - 1)
    chunked = b"PUT %bk HTTP/1.1\r\n%btransfer-encoding: chunked\r\n\r\n2\r\na=\r\n" % (KEY, FORM)
    fields = b",".join(b"f%d" % n for n in range(VALUES_LIMIT // 100))
    contexts = b"&".join([b"security%5Fcontext=x"] * 50_000)
    nearly = b"&".join([b"security%5Fcontex"] * 50_000)
    ends = b"\r\n\r\n" * (BODY_LIMIT // 4 - 4)
    of_ends = b"%x\r\n%b\r\n" % (len(ends), ends)
    return {
        "a body of escapes": _put(escapes),
        "the most attributes": _put(attributes),
        "the most items": _put(items),
        "the most chunks": chunked + chunks + b"0\r\n\r\n",
        "a body to be stripped": _put(contexts),
        "a body that is nearly stripped": _put(nearly),
        "a body of blanks": _put(b"&" + b"+" * 500_000 + b"%20" * 170_000),
        "a chunk of empty lines": chunked + of_ends + b"0\r\n\r\n",
        "the largest entity": b"GET %bk HTTP/1.1\r\n\r\n" % KEY,
        "the most keys": b"GET %b%b HTTP/1.1\r\n\r\n" % (KEY, KEYS),
        "the most keys and fields": b"GET %b%b?fields=%b HTTP/1.1\r\n\r\n" % (KEY, KEYS, fields),
        "the most fields": b"GET %bk?fields=%b HTTP/1.1\r\n\r\n"
        % (KEY, b",".join(b"f%d" % n for n in range(FIELDS_LIMIT))),
        "the most headers": b"GET / HTTP/1.1\r\n" + b"a:\r\n" * (HEAD_LIMIT // 4 - 8) + b"\r\n",
    }


def main() -> int:
    with processes.redis() as port:
        stalls = uvloop.run(_stalls(port))
    return report([Row(f"stall by {name}, ms of CPU", ms, 50, 20) for name, ms in stalls.items()])


async def _stalls(redis: int) -> Mapping[str, float]:
    text = CADDYFILE.replace("REDIS", str(redis))
    plans = directives.plan(caddyfile.parse(text, "Caddyfile", environment={}))
    sites = [mount(plan) for plan in plans]
    for start in sites[0].site.startup:
        await start()
    application = Application(sites, Release.of(text, version="0", commit="x"), sites)
    config = uvicorn.Config(application, ws="none", interface="asgi3", log_config=None)
    make = partial(Connection, Port(application))
    loop, state = asyncio.get_running_loop(), ServerState()
    server = await loop.create_server(lambda: make(config, state, {}), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await _worst(port, [_put(b"a=" + b"x" * 30_000, b"k%d" % n) for n in range(100)])
    stalls = {}
    for name, data in requests().items():
        stalls[name] = min([await _worst(port, [data]) for _ in range(3)]) * 1000
    server.close()
    for stop in sites[0].site.shutdown:
        await stop()
    return stalls


async def _worst(port: int, sent: list[bytes]) -> float:
    """Seconds of CPU; the client is a thread, whose CPU is its own."""
    done = threading.Event()

    def client() -> None:
        try:
            for data in sent:
                with socket.create_connection(("127.0.0.1", port), 20) as connection:
                    connection.sendall(data)
                    connection.recv(1 << 16)
        finally:
            done.set()

    thread = threading.Thread(target=client)
    thread.start()
    worst, before = 0.0, time.thread_time()
    while not done.is_set():
        await asyncio.sleep(0)
        now = time.thread_time()
        worst, before = max(worst, now - before), now
    thread.join()
    return worst
