"""The service's whole chain against an empty ASGI application, FastAPI with redis-py, and webdis.

All servers are up at once; wrk visits them in turn, the order reversed each round; medians.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import service_processes as processes
from bench.report import Row, report
from bench.service_processes import Server

ROUNDS = 6
SECONDS = 3
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1000.0}
_LUA = """
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


class Visit:
    """One wrk round: requests a second, p99 in ms, and the server's CPU µs for each request."""

    def __init__(self, server: Server, script: Path, seconds: int = SECONDS) -> None:
        before = server.cpu_seconds()
        done = subprocess.run(
            ["wrk", "-t1", "-c64", f"-d{seconds}s", "--latency", "-s", str(script)]
            + ["-H", "Authorization: Bearer bench-client-token", server.url],
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
        if "Non-2xx" in text or "Socket errors" in text:
            raise RuntimeError(f"{server.name} failed requests:\n{text}")
        requests = int(_found(r"(\d+) requests in", text)[1])
        p99 = _found(r"99%\s+([\d.]+)(us|ms|s)", text)
        self.rate = float(_found(r"Requests/sec:\s+([\d.]+)", text)[1])
        self.p99 = float(p99[1]) * _UNITS[p99[2]]
        self.cpu = (server.cpu_seconds() - before) / requests * 1e6


def _found(pattern: str, text: str) -> re.Match[str]:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"wrk said: {text}")
    return found


def main() -> int:
    if missing := [name for name in ("wrk", "redis-server") if shutil.which(name) is None]:
        sys.stdout.write(f"skipped: {', '.join(missing)} is not installed\n")
        return 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(processes.redis())
        auth = stack.enter_context(processes.auth())
        ours = stack.enter_context(processes.service(folder, redis, auth))
        servers = [
            ours,
            stack.enter_context(processes.uvicorn("bare", redis, "/")),
            stack.enter_context(processes.uvicorn("plain", redis, "/v1/user/")),
        ]
        webdis = stack.enter_context(processes.webdis(folder, redis))
        if webdis is None:
            sys.stdout.write("webdis is not installed: that comparison is left out\n")
        else:
            servers.append(webdis)
        visits = _visit(servers, _script(folder))
        return _report(visits, ours.memory())


def _script(folder: Path) -> Path:
    script = folder / "keys.lua"
    script.write_text(_LUA.replace("LAST", str(processes.KEYS - 1)))
    return script


def _visit(servers: list[Server], script: Path) -> dict[str, list[Visit]]:
    visits: dict[str, list[Visit]] = {server.name: [] for server in servers}
    for server in servers:
        Visit(server, script, 1)
    for turn in range(ROUNDS):
        for server in servers if turn % 2 == 0 else servers[::-1]:
            visits[server.name].append(Visit(server, script))
    return visits


def _report(visits: dict[str, list[Visit]], memory: float) -> int:
    def middle(name: str, what: str) -> float:
        return median([float(getattr(visit, what)) for visit in visits[name]])

    for name in visits:
        rate, p99, cpu = (middle(name, what) for what in ("rate", "p99", "cpu"))
        sys.stdout.write(f"   {name:<8} {rate:9.0f} req/s  p99 {p99:6.2f} ms  {cpu:6.1f} us CPU\n")
    rate, p99 = middle("service", "rate"), middle("service", "p99")
    rows = [
        Row("requests/s / bare ASGI", rate / middle("bare", "rate"), 0.55, 1.0, True),
        Row("requests/s / FastAPI + redis-py", rate / middle("plain", "rate"), 7, 12, True),
        Row("p99 / bare ASGI's", p99 / middle("bare", "p99"), 1.6, 1.0),
        Row("memory of one worker, MB", memory, 50, 40),
    ]
    if "webdis" in visits:
        rows.insert(2, Row("requests/s / webdis", rate / middle("webdis", "rate"), 0.6, 1.15, True))
    cpu = middle("bare", "cpu") / middle("service", "cpu")
    sys.stdout.write(f"   CPU for a request: bare ASGI's / service's {cpu:.2f}\n")
    return report(rows)
