"""The sandbox beside the service: an AWS on the loopback that keeps to CloudWatch's limits."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Its endpoint. It is started as a user does; the service knows nothing of it."""
    _opsctl(folder, "up", "--tasks", "none")
    try:
        endpoint: str = json.loads(_opsctl(folder, "env", "--json"))["AWS_ENDPOINT_URL"]
        yield endpoint
    finally:
        _opsctl(folder, "down")


def _opsctl(folder: Path, *words: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "opsctl", "sandbox", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    ).stdout
