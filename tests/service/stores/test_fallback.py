"""Switching to the map and back, with answers in an order that a test chooses."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from service.entities.commands import Command, Entity, Read, Reply
from service.stores.fallback import FallbackStore
from service.stores.memory import MemoryStore
from service.stores.store import Unavailable

READ = Read((Entity(b"test_fallback"),))


class Told:
    """A store whose every command waits until the test gives its answer."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[Reply]] = []

    async def execute(self, command: Command) -> Reply:
        self.waiting.append(asyncio.get_running_loop().create_future())
        return await self.waiting[-1]

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def status(self) -> Mapping[str, Any]:
        return {}


def test_an_answer_that_was_on_its_way_when_redis_was_lost_is_no_return(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> list[bool]:
        first = Told()
        serving: list[bool] = []
        store = FallbackStore(first, MemoryStore())

        async def answered(number: int, error: Exception | None) -> None:
            if error is None:
                first.waiting[number].set_result([])
            else:
                first.waiting[number].set_exception(error)
            await commands[number]
            serving.append(store.status()["fallback"]["serving"])

        commands = [asyncio.ensure_future(store.execute(READ)) for _ in range(2)]
        await asyncio.sleep(0)
        await answered(0, Unavailable("gone"))
        await answered(1, None)
        commands.append(asyncio.ensure_future(store.execute(READ)))
        await asyncio.sleep(0)
        await answered(2, None)
        return serving

    assert asyncio.run(run()) == [True, True, False]
    assert len(caplog.records) == 2
