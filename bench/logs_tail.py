"""`logs tail` against awslogs on the same server: time for 100,000 events, lines lost, repeated."""

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.report import Row, report
from tests.opsctl.logs.log_server import LogServer, serving

ROOT = Path(__file__).parent.parent
GROUP = "/web/app"
EVENTS, RUNS = 100_000, 3
FOLLOWED, SECONDS = 2_000, 20  # events while following, and how long they are written
_CONFIG = """\
name: web
network: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}
compute: {maximum: 4}
"""


def event(number: int, moment: float, lag: float) -> tuple[float, dict[str, Any]]:
    return moment + lag, {
        "eventId": f"{number:056d}",
        "logStreamName": f"web-20261123T210000Z-{number % 8:08x}",
        "timestamp": int(moment * 1000),
        "ingestionTime": int((moment + lag) * 1000),
        "message": f"line {number:07d} " + "x" * 80,
    }


def environment(endpoint: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
    }


def ours(config: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "opsctl", "-c", str(config), "logs", "tail", "app", *options]


def theirs(*options: str) -> list[str]:
    return [str(Path(os.environ["BENCH_VENV"], "bin", "awslogs")), "get", GROUP, "ALL", *options]


def timed(command: Sequence[str], variables: dict[str, str], out: Path) -> float:
    start = time.perf_counter()
    with out.open("wb") as file:
        subprocess.run(command, check=True, stdout=file, env=variables, cwd=ROOT)
    seconds = time.perf_counter() - start
    lines = sum(1 for _ in out.open("rb"))
    if lines != EVENTS:
        raise SystemExit(f"{command[0]} printed {lines} of {EVENTS} lines")
    return seconds


def speed(folder: Path, config: Path) -> Row:
    start = time.time() - 3000
    logs = LogServer(GROUP, [event(n, start + n / 50, 0.0) for n in range(EVENTS)])
    with serving(logs) as endpoint:
        variables, out = environment(endpoint), folder / "lines"
        mine, other = [], []
        for _ in range(RUNS):
            mine.append(timed(ours(config, "--since", "1h", "--no-follow"), variables, out))
            other.append(timed(theirs("-s", "1h", "--no-color"), variables, out))
    fast, slow = statistics.median(mine), statistics.median(other)
    sys.stdout.write(f"opsctl {fast:.2f} s, awslogs {slow:.2f} s for {EVENTS:,} events\n")
    return Row("times faster than awslogs", slow / fast, 8, 12, more_is_better=True)


def followed(command: Sequence[str], folder: Path, *, throttle: int) -> tuple[int, int]:
    """Lines lost and lines repeated when two streams of three are delivered late, in pages."""
    start = time.time() + 2
    lags = (0.0, 3.0, 9.0)
    rate = FOLLOWED / SECONDS
    logs = LogServer(GROUP, [event(n, start + n / rate, lags[n % 3]) for n in range(FOLLOWED)])
    logs.page, logs.throttle = 400, throttle
    out = folder / "followed"
    with serving(logs) as endpoint, out.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.DEVNULL,
            env=environment(endpoint) | {"PYTHONUNBUFFERED": "1"},
            cwd=ROOT,
        )
        time.sleep(2 + SECONDS + max(lags) + 20)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:  # awslogs does not always listen
            process.kill()
            process.wait()
    lines = Counter(re.findall(r"line (\d{7})", out.read_text(encoding="utf-8")))
    return FOLLOWED - len(lines), sum(lines.values()) - len(lines)


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "opsctl.yaml"
        config.write_text(_CONFIG, encoding="utf-8")
        rows = [speed(folder, config)]
        lost, repeated = followed(ours(config, "--since", "1m", "--follow"), folder, throttle=6)
        rows.append(Row("following: lines lost", lost, 0, 0))
        rows.append(Row("following: lines repeated", repeated, 0, 0))
        for throttle, what in ((0, "the same, never throttled"), (6, "throttled")):
            lost, repeated = followed(
                theirs("-s", "1m", "--no-color", "--watch"), folder, throttle=throttle
            )
            sys.stdout.write(f"awslogs, {what}: {lost} lost, {repeated} repeated\n")
        return report(rows)


if __name__ == "__main__":
    sys.exit(main())
