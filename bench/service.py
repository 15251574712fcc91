"""The service's whole chain against an empty ASGI application, FastAPI with redis-py, and webdis.

All servers are up at once; wrk visits them in turn, the order reversed each round; medians.
"""

import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import peers
from bench import service_processes as processes
from bench.report import Row, report
from bench.service_processes import Server

ROUNDS = 6
SECONDS = 3
CLIENTS = 64
BATCH = 100
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1000.0}
_GET = """
local keys, n = {}, 0
function init(args)
  math.randomseed(7)
  for i = 1, 4096 do keys[i] = wrk.path .. math.random(0, LAST) end
end
function request()
  n = n % 4096 + 1
  return wrk.format('GET', keys[n])
end
"""
_PUT = """
local n, form = 0, {}
for i = 0, 9 do form[#form + 1] = 'field' .. i .. '=' .. string.rep('v', 20) end
local body = table.concat(form, '&')
local headers = {['content-type'] = 'application/x-www-form-urlencoded'}
for name, value in pairs(wrk.headers) do headers[name] = value end
function request()
  n = n % LAST + 1
  return wrk.format('PUT', wrk.path .. n, headers, body)
end
"""
_BATCH = """
local paths, n = {}, 0
for i = 1, 64 do
  local keys = {}
  for k = 1, BATCH do keys[k] = (i * 37 + k * 7) % LAST end
  paths[i] = table.concat(keys, ',')
end
function request()
  n = n % 64 + 1
  return wrk.format('GET', wrk.path .. paths[n])
end
"""


class Visit:
    """One wrk round: requests a second, p99 in ms, and the server's CPU µs for each request."""

    def __init__(
        self, server: Server, script: Path, seconds: int = SECONDS, clients: int = CLIENTS
    ) -> None:
        before = server.cpu_seconds()
        done = subprocess.run(
            ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "-s", str(script)]
            + ["-H", "Authorization: Bearer bench-client-token", server.url],
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
        if "Non-2xx" in text or "Socket errors" in text:
            raise RuntimeError(f"{server.name} failed requests:\n{text}")
        requests = int(_match(r"(\d+) requests in", text)[1])
        p99 = _match(r"99%\s+([\d.]+)(us|ms|s)", text)
        self.rate = float(_match(r"Requests/sec:\s+([\d.]+)", text)[1])
        self.p99 = float(p99[1]) * _UNITS[p99[2]]
        self.cpu = (server.cpu_seconds() - before) / requests * 1e6


def _match(pattern: str, text: str) -> re.Match[str]:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk said: {text}")
    return match


def main() -> int:
    peers.find()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(processes.redis())
        auth = stack.enter_context(processes.auth())
        ours = stack.enter_context(processes.service(folder, redis, auth))
        bare = stack.enter_context(processes.uvicorn("bare", redis, "/"))
        plain = stack.enter_context(processes.uvicorn("plain", redis, "/v1/user/"))
        webdis = stack.enter_context(processes.webdis(folder, redis))
        get, put, batch = (
            _script(folder, n, t) for n, t in (("g", _GET), ("p", _PUT), ("b", _BATCH))
        )
        gets = _visit([ours, bare, plain, webdis], get)
        missed = _report_gets(gets, ours.memory())
        puts = _visit([ours, bare], put)
        alone = [
            (Visit(ours, get, clients=1), Visit(ours, batch, clients=1)) for _ in range(ROUNDS)
        ]
        two = stack.enter_context(processes.service(folder, redis, auth, workers=2))
        workers = _visit([ours, two], get)
    return missed + _report_rest(puts, alone, workers)


def _script(folder: Path, name: str, text: str) -> Path:
    script = folder / f"{name}.lua"
    text = text.replace("LAST", str(processes.KEYS - 1)).replace("BATCH", str(BATCH))
    script.write_text(text)
    return script


def _visit(servers: list[Server], script: Path) -> dict[str, list[Visit]]:
    visits: dict[str, list[Visit]] = {server.name: [] for server in servers}
    for server in servers:
        Visit(server, script, 1)
    for turn in range(ROUNDS):
        for server in servers if turn % 2 == 0 else servers[::-1]:
            visits[server.name].append(Visit(server, script))
    return visits


def _middle(visits: dict[str, list[Visit]], name: str, what: str) -> float:
    return median([float(getattr(visit, what)) for visit in visits[name]])


def _say(visits: dict[str, list[Visit]], what: str) -> None:
    sys.stdout.write(f"   {what}\n")
    for name in visits:
        rate, p99, cpu = (_middle(visits, name, what) for what in ("rate", "p99", "cpu"))
        sys.stdout.write(f"   {name:<8} {rate:9.0f} req/s  p99 {p99:6.2f} ms  {cpu:6.1f} us CPU\n")


def _report_gets(gets: dict[str, list[Visit]], memory: float) -> int:
    _say(gets, "GET of ten fields")
    rate, p99 = _middle(gets, "service", "rate"), _middle(gets, "service", "p99")
    plain = _middle(gets, "plain", "rate")
    cpu = _middle(gets, "bare", "cpu") / _middle(gets, "service", "cpu")
    sys.stdout.write(f"   CPU for a request: bare ASGI's / service's {cpu:.2f}\n")
    return report(
        [
            Row("requests/s / bare ASGI", rate / _middle(gets, "bare", "rate"), 0.8, 1.0, True),
            Row(
                "requests/s / FastAPI + redis-py",
                rate / plain,
                7.5,
                10,
                True,
            ),
            Row("requests/s / webdis", rate / _middle(gets, "webdis", "rate"), 0.75, 1.0, True),
            Row("p99 / bare ASGI's", p99 / _middle(gets, "bare", "p99"), 1.3, 1.0),
            Row("memory of one worker, MB", memory, 62, 54),
        ]
    )


def _report_rest(
    puts: dict[str, list[Visit]],
    alone: list[tuple[Visit, Visit]],
    workers: dict[str, list[Visit]],
) -> int:
    _say(puts, "PUT of ten attributes")
    put = _middle(puts, "service", "rate") / _middle(puts, "bare", "rate")
    put_cpu = _middle(puts, "bare", "cpu") / _middle(puts, "service", "cpu")
    sys.stdout.write(f"   CPU for a PUT: bare ASGI's / service's {put_cpu:.2f}\n")
    batches = median([BATCH * batch.rate / get.rate for get, batch in alone])
    _say(workers, "GET by one worker and by two")
    rates = _middle(workers, "service x2", "rate") / _middle(workers, "service", "rate")
    sys.stdout.write(f"   requests/s by two workers / by one, on these cores: {rates:.2f}\n")
    # wrk, Redis and one worker fill two cores: what two could do on more shows in their CPU.
    scale = 2 * _middle(workers, "service", "cpu") / _middle(workers, "service x2", "cpu")
    return report(
        [
            Row("PUT: requests/s / bare ASGI", put, 0.6, 0.8, True),
            Row(f"one client: {BATCH} GETs one by one / one batch", batches, 8, 15, True),
            Row("two workers / one, by CPU for a request", scale, 1.7, 1.9, True),
        ]
    )
