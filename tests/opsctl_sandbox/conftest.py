"""One sandbox for the whole session; each test works under names of its own."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from opsctl_sandbox.process import front, lifecycle
from opsctl_sandbox.process.home import Home, Sandbox, Settings
from tests.opsctl_sandbox.clients import Connect, connected, start
from tests.opsctl_sandbox.shapes import faithful


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("sandbox"))


@pytest.fixture(scope="session")
def sandbox(home: Home) -> Iterator[Sandbox]:
    yield start(home, Settings(tasks="none"))
    list(lifecycle.down(home))


@pytest.fixture
def connect(sandbox: Sandbox) -> Iterator[Connect]:
    with connected(sandbox) as connect:
        yield connect


@pytest.fixture
def plain(connect: Connect) -> Connect:
    """Clients of ministack as it is, without our repairs."""

    def make(service: str) -> Any:
        found = connect(service)
        found.meta.events.unregister("after-call", faithful)
        found.meta.events.register(
            "before-send", lambda request, **_: request.headers.update({front.PLAIN: "1"})
        )
        return found

    return make


@pytest.fixture
def unique() -> str:
    return f"t{uuid4().hex[:10]}"
