"""A real Redis for the tests that need one; and what a file of tests left open is told there."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.redis_server import Redis, start_redis


@pytest.fixture(scope="module", autouse=True)
def what_was_left_open_is_told_here() -> Iterator[None]:
    """Else its warning would fail a test of another file, whenever the garbage is collected."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = start_redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.process.terminate()
    server.process.wait(10)


@pytest.fixture
def redis_of_one_test(tmp_path: Path) -> Iterator[Callable[..., Redis]]:
    started: list[Redis] = []

    def start(*options: str, port: int = 0) -> Redis:
        started.append(start_redis(tmp_path, *options, port=port))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.wait(10)
