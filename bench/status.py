"""`opsctl status` with 100 ms on every call of AWS, against the longest chain of calls that need
each other: list tasks, describe them, their definition, their lines.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

from bench.report import Row, report
from opsctl import aws
from opsctl.cause.looks import STATUS
from opsctl.config.load import load
from opsctl.snapshot.read import Reader
from opsctl.snapshot.snapshot import Names
from opsctl_sandbox import images
from opsctl_sandbox.process import environment, lifecycle
from opsctl_sandbox.process.home import Home, Sandbox, Settings

_DELAY, _CHAIN, _RUNS = 0.1, 4, 5
# Until the tasks run; five hundred have their targets checked too often for more.
_SPEED = 300.0
_SIZES: dict[int, dict[str, Any]] = {
    8: {"ecs": {"desired_count": 8}},
    500: {
        "ecs": {"desired_count": 500, "cpu": 16, "memory": 16},
        "compute": {"instance_type": "m5.2xlarge", "desired": 3, "maximum": 4},
    },
}


def main() -> int:
    rows = []
    for tasks, (must, aim) in {8: (1.6, 1.2), 500: (3.0, 1.2)}.items():
        with tempfile.TemporaryDirectory() as folder:
            reading, command = _measured(Path(folder), tasks)
        chain = _DELAY * _CHAIN
        rows.append(Row(f"status, reading {tasks} tasks / chain", reading / chain, must, aim))
        rows.append(Row(f"status, the delay of {tasks} tasks / chain", command / chain, must, aim))
    return report(rows)


def _measured(folder: Path, tasks: int) -> tuple[float, float]:
    """Seconds of one look with warm clients; and by how much the delay makes the command longer."""
    config: dict[str, Any] = {
        "name": "bench",
        "network": {"vpc": "vpc-00000001", "subnets": ["subnet-00000001", "subnet-00000002"]},
        "compute": {"maximum": 3},
        **_SIZES[tasks],
    }
    (folder / "opsctl.yaml").write_text(json.dumps(config))
    home = Home(folder)
    *_, started = lifecycle.up(home, Settings(tasks="none", speed=_SPEED), os.environ)
    sandbox = started.sandbox
    assert sandbox is not None
    environ = {**os.environ, **environment.variables(sandbox)}
    try:
        _run(folder, environ, "db", "up", "--yes")
        _run(folder, environ, "ecs", "up", "--yes")
        empty = folder / "service"
        empty.mkdir()
        packed = images.pack(empty, ":8082 {\n}\n")
        registry = images.Registry(sandbox.endpoint, sandbox.keys.registry)
        reference = registry.push("bench", packed, tag="one")
        _run(folder, environ, "update-tasks", "--yes", "--image", reference)
        # Its machine is not what is measured.
        _post(sandbox, "clock", {"speed": 1.0})
        os.environ.update(environment.variables(sandbox))
        loaded = load(folder / "opsctl.yaml", environment=None, environ=environ, overrides=())
        clients = aws.connect(loaded.config.aws, patience=aws.Patience(0))
        Reader(clients, Names.of(loaded.config), patient=False)(STATUS)
        before = median(_timed(lambda: _run(folder, environ, "status")) for _ in range(_RUNS))
        _post(sandbox, "faults", [{"kind": "delay", "operation": "*", "seconds": _DELAY}])
        after = median(_timed(lambda: _run(folder, environ, "status")) for _ in range(_RUNS))
        reading = median(
            _timed(lambda: Reader(clients, Names.of(loaded.config), patient=False)(STATUS))
            for _ in range(_RUNS)
        )
        return reading, after - before
    finally:
        list(lifecycle.down(home))


def _timed(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _run(folder: Path, environ: dict[str, str], *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "opsctl", *words],
        cwd=folder,
        env={**environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"opsctl {' '.join(words)} exited {done.returncode}: {done.stderr[-800:]}")


def _post(sandbox: Sandbox, page: str, content: Any) -> None:
    request = urllib.request.Request(
        f"{sandbox.endpoint}/_sandbox/{page}",
        json.dumps(content).encode(),
        {"Authorization": sandbox.keys.pages},
    )
    with urllib.request.urlopen(request, timeout=10):
        pass
