"""Switching to the map and back, with answers in an order that a test chooses."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from service.entities.commands import (
    Change,
    Command,
    Delete,
    Entity,
    Read,
    Replace,
    Reply,
    Update,
)
from service.stores.fallback import FallbackStore
from service.stores.memory import MemoryStore
from service.stores.store import Conflict, Unavailable

READ = Read((Entity(b"test_fallback"),))


class Told:
    """A store whose every command waits until the test gives its answer."""

    whole = True

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
        store = FallbackStore(first)

        async def answered(number: int, error: Exception | None) -> None:
            if error is None:
                first.waiting[number].set_result([])
            else:
                first.waiting[number].set_exception(error)
            with suppress(Unavailable):
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


ONE, TWO = Entity(b"one"), Entity(b"two")


class Away:
    """Redis, or none, as a test says."""

    def __init__(self) -> None:
        self.redis = MemoryStore()
        self.whole = True

    async def execute(self, command: Command) -> Reply:
        if not self.whole:
            raise Unavailable("away")
        return await self.redis.execute(command)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def status(self) -> Mapping[str, Any]:
        return {}


def put(entity: Entity, value: bytes) -> Replace:
    return Replace(entity, (b'"x"', value), b'"1"')


def test_after_an_outage_no_value_comes_back_that_redis_has_lost_since() -> None:
    async def run() -> None:
        first = Away()
        store = FallbackStore(first)
        first.whole = False
        await store.execute(put(ONE, b'"1"'))
        assert await store.execute(Read((ONE,))) == [[b"last_update", b'"1"', b'"x"', b'"1"']]
        first.whole = True
        await store.execute(Delete(ONE))
        first.whole = False
        with pytest.raises(Unavailable):
            await store.execute(Read((ONE,)))
        assert list(store.written()) == [put(ONE, b'"1"')]

    asyncio.run(run())


def test_what_the_map_cannot_know_is_unavailable_and_not_absent() -> None:
    async def run() -> None:
        first = Away()
        store = FallbackStore(first)
        await store.execute(put(ONE, b'"1"'))
        first.whole = False
        add = Update(ONE, (Change(b'"x"', "add", b"1"),), b'"2"')
        await store.execute(put(TWO, b'"2"'))
        for unknown in (Read((ONE,)), Read((TWO, ONE), batch=True), add):
            with pytest.raises(Unavailable):
                await store.execute(unknown)
        assert store.status()["fallback"]["writes"] == 1, "what was refused is not kept"
        await store.execute(Delete(ONE))
        assert await store.execute(Read((ONE,))) == [[]], "what was deleted is known to be gone"
        await store.execute(add)
        assert await store.execute(Read((ONE,), (b'"x"',))) == [
            [b"last_update", b'"2"', b'"x"', b'"1"']
        ]

    asyncio.run(run())


def test_what_a_conflict_refused_is_not_kept() -> None:
    async def run() -> None:
        first = Away()
        first.whole = False
        store = FallbackStore(first)
        await store.execute(put(ONE, b'"text"'))
        with pytest.raises(Conflict):
            await store.execute(Update(ONE, (Change(b'"x"', "add", b"1"),), b'"2"'))
        assert list(store.written()) == [put(ONE, b'"text"')]

    asyncio.run(run())


def test_an_outage_of_one_part_ends_when_every_part_is_back() -> None:
    class Parts(Away):
        async def execute(self, command: Command) -> Reply:
            if not self.whole and command.entity == ONE:  # type: ignore[union-attr]
                raise Unavailable("away")
            return await self.redis.execute(command)

    async def run() -> None:
        first = Parts()
        store = FallbackStore(first)
        first.whole = False
        await store.execute(put(ONE, b'"1"'))
        await store.execute(put(TWO, b'"2"'))
        assert store.status()["fallback"]["serving"] is True
        first.whole = True
        await store.execute(put(TWO, b'"3"'))
        assert store.status()["fallback"]["serving"] is False

    asyncio.run(run())


def test_a_map_and_a_journal_that_are_full_say_so(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        first = Away()
        first.whole = False
        store = FallbackStore(first, map_bytes=200_000, journal_bytes=20_000)
        answers = []
        for number in range(1000):
            entity = Entity(b"%d" % number)
            try:
                await store.execute(put(entity, b'"%b"' % (b"x" * 100)))
                answers.append(204)
            except Unavailable:
                answers.append(503)
        status = store.status()["fallback"]
        assert answers[0] == 204 and answers[-1] == 503
        assert status["map"]["bytes"] <= 200_000 and status["journal_bytes"] <= 20_000
        assert status["writes"] == answers.count(204)
        assert status["writes_not_kept"] == status["writes"] - len(list(store.written()))
        first.whole = True
        await store.execute(put(ONE, b'"1"'))

    asyncio.run(run())
    said = [record.getMessage() for record in caplog.records]
    assert sum("the journal is full" in line for line in said) == 1
    assert "of the writes could not be kept" in said[-1]
