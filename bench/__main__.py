"""`make bench`: every measurement as a ratio against a peer in the same interleaved run."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

# The peers live in a virtual environment of their own: awscli pins botocore.
PEERS = ["awscli==1.46.3", "awslogs==0.15.0", "setuptools<80"]
MEASUREMENTS = [
    *("start_up", "status", "logs_tail", "stack_up"),
    *("service", "service_parts", "service_stalls"),
]


def peers() -> Path:
    venv = Path(os.environ.get("BENCH_VENV", ".venv-bench"))
    if not (venv / "bin" / "awslogs").exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(venv / "bin" / "pip"), "install", "--quiet", *PEERS], check=True)
    return venv.absolute()


def main(wanted: list[str]) -> int:
    # Everybody is measured as installed: with byte code, and not compiling at each start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["BENCH_VENV"] = str(peers())
    missed = 0
    for name in wanted or MEASUREMENTS:
        sys.stdout.write(f"== {name}\n")
        sys.stdout.flush()
        missed += importlib.import_module(f"bench.{name}").main()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
