"""A fuzzer: whole connections to a real process, and what they cost it.

A seeded sample by default; for `HOSTILE_SECONDS` seconds, from a new seed, in `make test-hostile`.
It looks at CPU by byte and by request, at memory, at answers, and at how long others wait.
"""

import os
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.service.processes import ENTITY, Service, running

SECONDS = float(os.environ.get("HOSTILE_SECONDS", "0"))
SAMPLE = 150
CPU_OF_REQUEST = 0.12  # seconds, on a machine that is busy with other tests as well
CPU_OF_BYTE = 1e-6
MEMORY_MB = 64
WAIT = 2.0  # seconds that anybody else may wait, wall clock

CADDYFILE = """
:80 {
 redir / /health.txt
}
:8082 {
 transformrequest {
  scope off
 }
 redis x testing
 transformresponse
}
:8083 {
 reauth {
  path /
  simple user=word
  failure status code=401
 }
 transformrequest {
  scope off
 }
 redis x testing
 transformresponse
}
"""
KEY = ENTITY.encode()
FORM = b"content-type: application/x-www-form-urlencoded\r\n"
TOKEN = b"authorization: Basic dXNlcjp3b3Jk\r\n"

Random = random.Random


def _name(r: Random) -> bytes:
    return KEY + b"k%d" % r.randrange(8)


def _values(r: Random) -> bytes:
    return r.choice(
        [
            b"a=1&b=[x,y]&c=",
            b"a=" + b"%41" * r.choice([1, 1000, 300_000]),
            b"a=" + b"%01" * r.choice([1, 100_000]),
            b"&".join(b"a%d=1" % n for n in range(r.choice([10, 1000, 1001, 60_000]))),
            b"a=[" + b"," * r.choice([1, 10_000, 10_001, 900_000]) + b"]",
            b"a=$ADD(" + b"1" * r.choice([1, 64, 20_000]) + r.choice([b"x", b""]) + b")",
            b"a=$APPEND[" + b"x," * r.choice([1, 5000]) + b"]&n=$INCR",
            b"&" * r.choice([1, 999, 900_000]),
            b"security%5Fcontext=x&" * r.choice([1, 40_000]),
            b"security_context" + b"+" * r.choice([1, 900_000]) + b"x",
            b"security_contexx&" * r.choice([1, 50_000]),
            b"a=" + b"\r\n\r\n" * r.choice([1, 200_000]),
            b"a=" + bytes(r.randrange(256) for _ in range(r.choice([1, 500]))),
            b"a=" + b"x" * r.choice([1, 1_048_000, 1_100_000]),
        ]
    )


def _sized(r: Random, body: bytes) -> bytes:
    return b"content-length: %d\r\n\r\n%b" % (len(body), body)


def _chunked(r: Random, body: bytes) -> bytes:
    size = r.choice([1, 7, 64, 4096])
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    extension = r.choice([b"", b"", b";e=" + b"x" * r.choice([1, 200])])
    chunks = b"".join(b"%x%b\r\n%b\r\n" % (len(one), extension, one) for one in pieces)
    trailers = r.choice([b"", b"t: 1\r\n", b"t: " + b"x" * 80_000 + b"\r\n", TOKEN])
    return b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailers + b"\r\n"


def _write(r: Random) -> bytes:
    head = b"%b %b HTTP/1.1\r\nhost: x\r\n" % (r.choice([b"PUT", b"POST", b"GET"]), _name(r))
    head += FORM + r.choice([b"", TOKEN]) + r.choice([b"", b"expect: 100-continue\r\n"])
    return head + r.choice([_sized, _chunked])(r, _values(r))


def _read(r: Random) -> bytes:
    keys = r.choice([1, 100, 101, 30_000])
    path = _name(r) if keys == 1 else KEY + b",".join([b"k%d" % (n % 50) for n in range(keys)])
    fields = r.choice([0, 1, 100, 1001, 20_000])
    query = b"?fields=" + b",".join(b"f%d" % n for n in range(fields)) if fields else b""
    return b"GET " + path + query + b" HTTP/1.1\r\nhost: x\r\n\r\n"


def _head(r: Random) -> bytes:
    return (
        b"GET / HTTP/1.1\r\n"
        + r.choice(
            [
                b"a: b\r\n" * r.choice([1, 8000, 20_000]),
                b"host: " + r.choice([b".", b":1"]) * r.choice([1, 30_000]) + b"\r\n",
                b"x: " + b"y" * r.choice([1, 65_000, 300_000]) + b"\r\n",
                b"cookie: " + b"a=b;" * r.choice([1, 15_000]) + b"\r\n",
                b"authorization: " + b"Basic " * r.choice([1, 10_000]) + b"\r\n",
                b"upgrade: h2c\r\nconnection: upgrade\r\n",
                b"\0\r\n",
            ]
        )
        + r.choice([b"\r\n", b"", b"connection: close\r\n\r\n"])
    )


def _noise(r: Random) -> bytes:
    return r.choice(
        [
            bytes(r.randrange(256) for _ in range(r.choice([1, 100, 5000]))),
            b"\r\n" * r.choice([1, 40_000]),
            b"GET /" + b"%2e%2e/" * r.choice([1, 9000]) + b" HTTP/1.1\r\n\r\n",
            b"GET " + b"/a" * 30_000 + b" HTTP/1.1\r\n\r\n",
            b"GET /?" + b"security_context+++x&" * r.choice([1, 3000]) + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n" * r.choice([1, 3000]),
            b"OPTIONS * HTTP/1.1\r\n\r\nCONNECT x:1 HTTP/1.1\r\n\r\n",
            b"PUT / HTTP/1.1\r\ncontent-length: 99999999999999\r\n\r\n",
            b"GET /openapi.json HTTP/1.1\r\n\r\n",
        ]
    )


BUILDERS: list[Callable[[Random], bytes]] = [_write, _write, _read, _head, _noise]


@dataclass
class Process:
    service: Service
    waits: list[float] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def cpu(self) -> float:
        threads = Path(f"/proc/{self.service.process.pid}/task").iterdir()
        return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e9

    @property
    def memory(self) -> float:
        status = Path(f"/proc/{self.service.process.pid}/status").read_text()
        resident = re.search(r"VmRSS:\s+(\d+)", status)
        assert resident is not None
        return int(resident[1]) / 1024

    def look(self) -> None:
        """Somebody else, who only wants to know whether the service runs."""
        while not self.done.wait(0.02):
            begin = time.monotonic()
            assert self.service.request("GET", "/health.txt", port=80)[0] == 200
            self.waits.append(time.monotonic() - begin)


@contextmanager
def watched(folder: Path) -> Iterator[Process]:
    with running(folder, CADDYFILE) as service:
        process = Process(service)
        service.request("GET", "/openapi.json")  # which loads FastAPI
        looking = threading.Thread(target=process.look)
        looking.start()
        try:
            yield process
        finally:
            process.done.set()
            looking.join()
        assert service.stop() == 0
        said = "\n".join(service.said)
        assert "Traceback" not in said, said[said.index("Traceback") :][:3000]


def converse(port: int, data: bytes, r: Random) -> tuple[int, bytes]:
    """How much was sent, and what was answered until the other side was silent or closed."""
    sent, answered = 0, b""
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.settimeout(0.3)
        try:
            for at in range(0, len(data), 65_536):
                sent += connection.send(data[at : at + 65_536])
            if r.random() < 0.3:
                connection.shutdown(socket.SHUT_WR)
            if r.random() < 0.2:
                return sent, answered
            while received := connection.recv(65_536):
                answered += received
        except OSError:
            pass
    return sent, answered


def test_no_connection_costs_more_than_it_may(tmp_path: Path) -> None:
    seed = random.randrange(2**32) if SECONDS else 7
    r = Random(seed)
    until = time.monotonic() + SECONDS
    with watched(tmp_path) as process:
        before, count = process.memory, 0
        while count < SAMPLE or time.monotonic() < until:
            requests = [r.choice(BUILDERS)(r) for _ in range(r.choice([1, 1, 2, 5]))]
            data = b"".join(requests)
            port = process.service.ports[r.choice([8082, 8082, 8083])]
            cpu = process.cpu
            sent, answered = converse(port, data, r)
            cpu = process.cpu - cpu
            what = f"seed {seed}, connection {count}: {[one[:80] for one in requests]}"
            statuses = [int(s) for s in re.findall(rb"^HTTP/1\.1 (\d+) ", answered, re.M)]
            most = max(len(statuses), len(requests)) * CPU_OF_REQUEST + sent * CPU_OF_BYTE
            assert cpu < most, f"{cpu:.3f} s of CPU: {what}"
            assert not [status for status in statuses if status >= 500], what
            count += 1
        assert process.memory - before < MEMORY_MB, f"seed {seed}"
        assert max(process.waits) < WAIT, f"seed {seed}"


@pytest.mark.parametrize("limit", ["64", "65"])
def test_the_longest_number_is_one(tmp_path: Path, limit: str) -> None:
    with running(tmp_path, CADDYFILE) as service:
        number = "0." + "1" * (int(limit) - 2)
        status = service.request("POST", f"{ENTITY}k?a=$ADD({number})")[0]
        assert status == (204 if limit == "64" else 400)
