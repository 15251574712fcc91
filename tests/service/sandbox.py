"""The sandbox beside the service: an AWS on the loopback that keeps to CloudWatch's limits."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Cloud:
    """Something that answers AWS calls, and a key to it."""

    url: str
    key: str = "test"
    secret: str = "test"


@contextmanager
def running(folder: Path) -> Iterator[Cloud]:
    """It is started as a user does; the service knows nothing of it."""
    _opsctl(folder, "up", "--tasks", "none")
    try:
        env = json.loads(_opsctl(folder, "env", "--json"))
        yield Cloud(env["AWS_ENDPOINT_URL"], env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
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
