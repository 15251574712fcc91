"""Start-up of whole processes, interleaved, medians, as ratios against awscli v1."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.report import Row, report

ROUNDS = 15
ROOT = Path(__file__).parent.parent


def medians(
    commands: Mapping[str, Sequence[str]], *, env: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Median wall seconds of each command; rounds alternate their order."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for round_ in range(ROUNDS + 1):
        order = list(commands) if round_ % 2 else list(commands)[::-1]
        for name in order:
            started = time.perf_counter()
            done = subprocess.run(commands[name], env=env, capture_output=True)
            if round_:  # the first round only warms the caches
                seconds[name].append(time.perf_counter() - started)
            if done.returncode != 0:
                raise SystemExit(f"{name} exited {done.returncode}: {done.stderr.decode()[-500:]}")
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> int:
    opsctl = str(Path(sys.executable).with_name("opsctl"))
    aws = str(Path(os.environ["BENCH_VENV"]) / "bin" / "aws")
    config = str(ROOT / "opsctl.example.yaml")
    offline = medians(
        {
            "aws": [aws, "--version"],
            "help": [opsctl, "--help"],
            "version": [opsctl, "--version"],
            "render": [opsctl, "render", "-c", config],
            "check": [opsctl, "config", "check", "-c", config],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        online = _first_call(opsctl, aws, config, folder)
    version, stacks = "aws --version", "aws describe-stacks"
    return report(
        [
            Row(f"opsctl --help / {version}", offline["help"] / offline["aws"], 0.12, 0.08),
            Row(f"opsctl --version / {version}", offline["version"] / offline["aws"], 0.2, 0.08),
            Row(f"opsctl render / {version}", offline["render"] / offline["aws"], 0.9, 0.5),
            Row(f"opsctl config check / {version}", offline["check"] / offline["aws"], 0.65, 0.5),
            Row(f"opsctl db status / {stacks}", online["opsctl"] / online["aws"], 0.95, 0.8),
        ]
    )


def _first_call(opsctl: str, aws: str, config: str, folder: str) -> dict[str, float]:
    sandbox = ["sandbox", "up", "--name", "bench"]
    subprocess.run([opsctl, *sandbox], check=True, cwd=folder, capture_output=True)
    try:
        exports = subprocess.run(
            [opsctl, "sandbox", "env", "--name", "bench", "--json"],
            check=True,
            cwd=folder,
            capture_output=True,
            text=True,
        ).stdout
        given = {key: value for key, value in json.loads(exports).items() if key.isupper()}
        env = {**os.environ, **given}
        return medians(
            {
                "aws": [aws, "cloudformation", "describe-stacks"],
                "opsctl": [opsctl, "db", "status", "-c", config],
            },
            env=env,
        )
    finally:
        subprocess.run(
            [opsctl, "sandbox", "down", "--name", "bench"], cwd=folder, capture_output=True
        )
