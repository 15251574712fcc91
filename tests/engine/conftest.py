"""A real Docker engine for the session, and a registry it can push to; see up.sh."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

_HERE = Path(__file__).parent


@contextmanager
def engine() -> Iterator[tuple[str, Path]]:
    """DOCKER_HOST of an engine that ends with the block, and the directory for `down.sh`.

    In CI its absence is a failure."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opsctl-tests"
    # Not under pytest's tmp_path: a unix socket's path may have 107 characters at most.
    work = tempfile.mkdtemp(prefix="engine-")
    up = subprocess.run([_HERE / "up.sh", work, cache], capture_output=True, text=True)
    try:
        if up.returncode == 77 and os.environ.get("CI") != "true":
            pytest.skip(up.stderr.strip().splitlines()[-1])
        assert up.returncode == 0, up.stderr
        yield up.stdout.strip().removeprefix("DOCKER_HOST="), Path(work)
    finally:
        down(Path(work))


def down(work: Path) -> None:
    subprocess.run([_HERE / "down.sh", work], check=True)


@pytest.fixture(scope="session")
def engine_host() -> Iterator[str]:
    with engine() as (host, _):
        yield host


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a bare ministack: ECR's API and its registry on one port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    state = str(tmp_path_factory.mktemp("ministack"))
    environment = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "TMPDIR": state}
    process = subprocess.Popen(
        [sys.executable, "-m", "ministack"],
        env={**os.environ, **environment, "STATE_DIR": state},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            urlopen(f"{endpoint}/_ministack/health", timeout=1).close()
            break
        except (URLError, ConnectionError):
            time.sleep(0.05)
    yield endpoint
    process.terminate()
    process.wait(10)
