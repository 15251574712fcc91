"""Memory of one worker under reads and writes for ten minutes, with hostile clients among them:
flat, and nobody else is refused, or this fails.

`python -m bench.soak [SECONDS]`. Not part of `make bench`: it takes its time. Where the memory is
is printed at the beginning and at the end, with what the service says of itself, so that what
grew has a name.
"""

import json
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from bench import peers
from bench import service_processes as processes

SECONDS = 600
WARM_UP = 30
ALLOWED_MB = 4.0  # what clients that are held up keep in buffers comes and goes
_LUA = """
local n = 0
function request()
  n = n + 1
  local path = wrk.path .. (n * 7919 % 5000)
  local kind = n % 8
  if kind == 0 then return wrk.format('PUT', path .. '?a=' .. n .. '&l=[x,,y]') end
  if kind == 1 then return wrk.format('POST', path .. '?n=$INCR&l=$APPEND[z]') end
  if kind == 2 then return wrk.format('GET', path .. ',nobody?fields=a,l') end
  if kind == 3 then return wrk.format('GET', '/nothing/' .. n) end
  return wrk.format('GET', path)
end
"""


def _hostile(port: int, done: threading.Event) -> None:
    """Clients that drip, send chunks and trailers without end, do not read, or send noise."""
    r = random.Random(7)
    key = b"/v1/cids/bench/entity_types/t/domains/d/keys/1"
    chunked = b"PUT " + key + b" HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    held: list[socket.socket] = []
    while not done.wait(0.02):
        data = r.choice(
            [
                b"GET / HTTP/1.1\r\nhost: ",
                chunked + b"1\r\nx\r\n" * 20_000,
                chunked + b"0\r\n" + b"t: x\r\n" * 20_000,
                b"GET " + key + b" HTTP/1.1\r\n\r\n" * 500,
                b"PUT " + key + b" HTTP/1.1\r\ncontent-length: 1000000\r\n\r\nx",
                b"GET " + key + b" HTTP/1.1\r\nauthorization: Bearer %d\r\n\r\n" % r.randrange(300),
                bytes(r.randrange(256) for _ in range(2000)),
                b"GET /" + b"a" * 100_000,
            ]
        )
        try:
            client = socket.create_connection(("127.0.0.1", port), 1)
            client.setblocking(False)
            held.append(client)
            client.send(data)
        except OSError:
            pass
        while len(held) > 200:
            held.pop(r.randrange(len(held))).close()
    for client in held:
        client.close()


def _kinds(pid: int) -> dict[str, float]:
    """Resident MB: of Python's own allocator, of malloc (and its arenas of threads), of files."""
    kinds: dict[str, float] = {}
    kind = ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        mapping = re.match(r"([0-9a-f]+)-[0-9a-f]+ \S+ \S+ \S+ (\d+) *(.*)", line)
        if mapping:
            begin, inode, name = int(mapping[1], 16), mapping[2], mapping[3]
            is_arena = begin % (64 << 20) == 0
            kind = "malloc" if name == "[heap]" or is_arena else "objects"
            kind = "files" if inode != "0" else kind
        elif line.startswith("Rss:"):
            kinds[kind] = kinds.get(kind, 0.0) + int(line.split()[1]) / 1024
    return {kind: round(size, 1) for kind, size in kinds.items()}


def _says(status: str) -> str:
    with urllib.request.urlopen(status, timeout=5) as response:
        site = json.load(response)["sites"][":8082"]
    return json.dumps({name: site[name] for name in ("redis", "reauth")})


def main(seconds: int) -> int:
    peers.find()
    done = threading.Event()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(processes.redis())
        auth = stack.enter_context(processes.auth())
        # A busy machine is not to look like an outage, whose journal takes memory.
        service = stack.enter_context(processes.service(folder, redis, auth, patience="2s"))
        port = int(re.findall(r":(\d+)/", service.url)[0])
        hostile = threading.Thread(target=_hostile, args=(port, done))
        hostile.start()
        stack.callback(hostile.join)
        stack.callback(done.set)
        script = folder / "soak.lua"
        script.write_text(_LUA)
        command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "-s", str(script), service.url]
        command += ["-H", "Authorization: Bearer bench-client-token"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as wrk:
            time.sleep(WARM_UP)
            warm = service.memory()
            sys.stdout.write(f"{_kinds(service.pid)}\n")
            while wrk.poll() is None:
                sys.stdout.write(f"{service.memory():.1f} ")
                sys.stdout.flush()
                time.sleep(10)
            last = service.memory()
            sys.stdout.write(f"\n{_kinds(service.pid)}\n{_says(service.status)}")
            assert wrk.stdout is not None
            sys.stdout.write(f"\n{wrk.stdout.read()}")
    grown = last - warm
    sys.stdout.write(f"memory {warm:.1f} -> {last:.1f} MB, grown {grown:+.2f} MB in {seconds} s\n")
    return 0 if grown <= ALLOWED_MB else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else SECONDS))
