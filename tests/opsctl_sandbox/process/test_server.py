"""The server process, when what runs beside it ends."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from opsctl_sandbox.process import server


@pytest.fixture
def signals() -> Iterator[None]:
    """A server takes SIGTERM for itself."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


async def front(scope: Any, receive: Any, send: Any) -> None:
    for word in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{word}.complete"})


@pytest.mark.usefixtures("signals")
def test_a_sandbox_whose_clock_breaks_ends_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        raise KeyError("task")

    machine: Any = SimpleNamespace(
        front=front,
        dns_names=SimpleNamespace(start=lambda: None),
        host=SimpleNamespace(run=run),
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = server.serve(machine, listener, lambda: None)
        asyncio.run(asyncio.wait_for(serving, 30))
    assert "KeyError: 'task'" in caplog.text
