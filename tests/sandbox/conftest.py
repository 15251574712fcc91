"""One sandbox for the whole session; each test works under names of its own."""

import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from opsctl.sandbox import front, lifecycle
from opsctl.sandbox.home import Home, Sandbox, Settings

Connect = Callable[[str], Any]


def start(home: Home, settings: Settings) -> Sandbox:
    *_, last = lifecycle.up(home, settings, os.environ)
    assert last.sandbox is not None
    return last.sandbox


def client(endpoint: str, service: str) -> Any:
    """A client that sees every error at once."""
    make: Any = boto3.client  # its stubs want a literal name
    return make(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
        config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
    )


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("sandbox"))


@pytest.fixture(scope="session")
def sandbox(home: Home) -> Iterator[Sandbox]:
    yield start(home, Settings(tasks="none"))
    list(lifecycle.down(home))


@pytest.fixture
def connect(sandbox: Sandbox) -> Iterator[Connect]:
    clients = []

    def make(service: str) -> Any:
        clients.append(client(sandbox.endpoint, service))
        return clients[-1]

    yield make
    for one in clients:
        one.close()


@pytest.fixture
def plain(connect: Connect) -> Connect:
    """Clients of ministack as it is, without our repairs."""

    def make(service: str) -> Any:
        found = connect(service)
        found.meta.events.register(
            "before-send", lambda request, **_: request.headers.update({front.PLAIN: "1"})
        )
        return found

    return make


@pytest.fixture
def unique() -> str:
    return f"t{uuid4().hex[:10]}"
