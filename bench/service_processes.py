"""The processes of the service's bench: started on free ports, asked for CPU and memory, ended."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

KEYS = 1000
FIELDS = 10
CADDYFILE = """
:80 {
    redir / /health.txt
}
:8082 {
    secrets FOLDER/secrets.yml
    awscloudwatch error bench bench- 65536
    reauth {
        path /v1
        refresh url=http://127.0.0.1:AUTH,timeout=5s,cache_path=FOLDER/reauth,lock_timeout=5s
        failure status code=401
    }
    transformrequest
    redis 127.0.0.1:REDIS fallback {
        timeout PATIENCE
    }
    transformresponse
}
"""


@dataclass(frozen=True)
class Server:
    name: str
    pid: int
    url: str
    status: str = ""

    def cpu_seconds(self) -> float:
        """Of all threads, and of all workers."""
        workers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        threads = [
            thread for pid in (self.pid, *workers) for thread in Path(f"/proc/{pid}/task").iterdir()
        ]
        times = [(thread / "schedstat").read_text().split()[0] for thread in threads]
        return sum(map(int, times)) / 1e9

    def memory(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        resident = re.search(r"VmRSS:\s+(\d+)", status)
        return int(resident[1]) / 1024 if resident else 0.0


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(command: list[str], port: int, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        _wait_for(port, process)
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 20
    while port and time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    if port:
        raise RuntimeError(f"{process.args!r} does not listen")


@contextmanager
def redis() -> Iterator[int]:
    port = free_port()
    with started(["redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1"], port):
        _fill(port)
        yield port


def _fill(port: int) -> None:
    commands = []
    for key in range(KEYS):
        members = " ".join(f"field{n} {'v' * 20}" for n in range(FIELDS))
        quoted = " ".join(f"'\"field{n}\"' '\"{'v' * 20}\"'" for n in range(FIELDS))
        commands.append(f"HSET plain:{key} {members}")
        commands.append(f"HSET bench:t:d:{key} last_update '\"2026-11-23T00:00:00Z\"' {quoted}")
    subprocess.run(
        ["redis-cli", "-p", str(port)],
        input="\n".join(commands),
        text=True,
        stdout=subprocess.DEVNULL,
        check=True,
    )


@contextmanager
def auth() -> Iterator[int]:
    with started([sys.executable, "-m", "bench.service_auth"], 0) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


def python() -> str:
    """Of an environment with the packages of the image and no more: memory depends on it."""
    venv = Path(os.environ.get("BENCH_SERVICE_VENV", ".venv-bench-service"))
    if not (venv / "bin" / "uvicorn").exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        install = [
            str(venv / "bin" / "pip"),
            "install",
            "--quiet",
            "-r",
            "requirements/service.txt",
        ]
        subprocess.run(install, check=True)
    return str(venv.absolute() / "bin" / "python")


@contextmanager
def service(
    folder: Path, redis_port: int, auth_port: int, workers: int = 1, patience: str = "50ms"
) -> Iterator[Server]:
    """`patience` is how long Redis may take before it counts as away."""
    (folder / "secrets.yml").write_text("refresh_token: bench\n")
    config = folder / "Caddyfile"
    text = CADDYFILE.replace("FOLDER", str(folder)).replace("PATIENCE", patience)
    config.write_text(text.replace("AUTH", str(auth_port)).replace("REDIS", str(redis_port)))
    ports = {80: free_port(), 8082: free_port()}
    listen = ",".join(f"{site}=127.0.0.1:{port}" for site, port in ports.items())
    command = [python(), "-m", "service", "run", "--config", str(config)]
    command += ["--workers", str(workers)]
    with started(command, ports[8082], SERVICE_LISTEN=listen) as process:
        url = f"http://127.0.0.1:{ports[8082]}/v1/cids/bench/entity_types/t/domains/d/keys/"
        name = "service" if workers == 1 else f"service x{workers}"
        yield Server(name, process.pid, url, f"http://127.0.0.1:{ports[80]}/status")


@contextmanager
def uvicorn(name: str, redis_port: int, path: str) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"bench.service_peers:{name}", "--no-access-log"]
    command += ["--port", str(port), "--loop", "uvloop", "--http", "httptools"]
    command += ["--log-level", "warning", "--lifespan", "off"]
    with started(command, port, BENCH_REDIS=f"redis://127.0.0.1:{redis_port}") as process:
        yield Server(name, process.pid, f"http://127.0.0.1:{port}{path}")


@contextmanager
def webdis(folder: Path, redis_port: int) -> Iterator[Server]:
    port = free_port()
    config = folder / "webdis.json"
    settings = {"redis_host": "127.0.0.1", "redis_port": redis_port, "http_host": "127.0.0.1"}
    more = {"http_port": port, "threads": 1, "pool_size": 20, "verbosity": 0, "daemonize": False}
    config.write_text(json.dumps({**settings, **more, "logfile": str(folder / "webdis.log")}))
    # It warns on stderr of each connection that wrk drops.
    with started(["sh", "-c", f"exec webdis {config} 2>/dev/null"], port) as process:
        yield Server("webdis", process.pid, f"http://127.0.0.1:{port}/HGETALL/plain:")
