"""A real Docker engine for the session, and a registry it can push to."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from docker import APIClient

from tests.engine.engines import engine


@pytest.fixture(scope="session")
def engine_host() -> Iterator[str]:
    with engine() as (host, _):
        yield host


@pytest.fixture(scope="session")
def docker(engine_host: str) -> Iterator[APIClient]:
    client = APIClient(base_url=engine_host)
    yield client
    client.close()


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
