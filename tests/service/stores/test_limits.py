"""What an entity may become, and what Redis refuses: with nothing changed, and for nobody else."""

import asyncio
import time
from collections.abc import Iterator
from itertools import chain

import pytest

from service.entities.commands import (
    ENTITY_ATTRIBUTES,
    ENTITY_BYTES,
    Change,
    Delete,
    Entity,
    Read,
    Replace,
    TooLarge,
    Update,
    Verb,
)
from service.errors import FilterError
from service.stores import address, scripts
from service.stores.memory import MemoryStore
from service.stores.redis import RedisStore
from service.stores.store import Conflict, Store, Unavailable
from tests.service.redis_server import Redis, ask
from tests.service.stores.test_redis import StartRedis, opened

ENTITY = Entity(b"test_limits")


def post(name: bytes, verb: Verb, argument: bytes = b"") -> Update:
    return Update(ENTITY, (Change(name, verb, argument),), b'"2"')


def put(*attributes: tuple[bytes, bytes], entity: Entity = ENTITY) -> Replace:
    return Replace(entity, tuple(chain.from_iterable(attributes)), b'"1"')


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        redis: Redis = request.getfixturevalue("redis")
        yield RedisStore(address.parse(redis.address), timeout=5)


async def members(store: Store) -> dict[bytes, bytes]:
    reply = await store.execute(Read((ENTITY,)))
    assert not isinstance(reply, bool | None)
    return dict(zip(reply[0][::2], reply[0][1::2], strict=True))


def test_a_long_text_of_digits_is_no_number_and_costs_nothing(store: Store) -> None:
    async def run() -> float:
        await store.open()
        text = b'"%b"' % (b"1" * 20_000 + b"x")
        await store.execute(put((b'"a"', text), (b'"b"', b'"%b"' % (b"0" * 64 + b"1"))))
        begin = time.perf_counter()
        for name in (b'"a"', b'"b"'):
            with pytest.raises(Conflict):
                await store.execute(post(name, "add", b"1"))
        took = time.perf_counter() - begin
        await store.close()
        return took

    assert asyncio.run(run()) < 1  # it was 12 seconds


def test_updates_cannot_make_an_entity_larger_than_one_may_be(store: Store) -> None:
    async def run() -> None:
        await store.open()
        half = b'"%b"' % (b"x" * (ENTITY_BYTES // 2 - 10))
        await store.execute(put((b'"a"', half), (b'"l"', b"[]")))
        await store.execute(post(b'"b"', "set", half))
        before = await members(store)
        for refused in (
            post(b'"c"', "set", b'"0123456789"'),
            post(b'"l"', "append", b'"0123456789"'),
        ):
            with pytest.raises(TooLarge):
                await store.execute(refused)
            assert await members(store) == before
        await store.execute(post(b'"a"', "delete"))
        await store.execute(post(b'"c"', "set", b'"0123456789"'))
        await store.close()

    asyncio.run(run())


def test_updates_cannot_give_an_entity_more_attributes_than_one_may_have(store: Store) -> None:
    async def run() -> None:
        await store.open()
        await store.execute(put(*[(b'"a%d"' % n, b'"1"') for n in range(ENTITY_ATTRIBUTES)]))
        before = await members(store)
        with pytest.raises(TooLarge):
            await store.execute(post(b'"b"', "set", b'"1"'))
        assert await members(store) == before
        await store.execute(post(b'"a1"', "add", b"1"))
        await store.close()

    asyncio.run(run())


def test_an_entity_from_another_time_that_is_too_large_may_shrink(redis: Redis) -> None:
    async def run() -> None:
        many = " ".join(f"x{n} 1" for n in range(ENTITY_ATTRIBUTES + 2))
        await ask(redis, "DEL test_limits")
        await ask(redis, f"HSET test_limits last_update 1 {many}")
        async with opened(redis.address) as store:
            await store.execute(post(b"x1", "delete"))
            await store.execute(post(b"x2", "set", b'"2"'))
            assert len(await members(store)) == ENTITY_ATTRIBUTES + 2
            with pytest.raises(TooLarge):
                await store.execute(post(b"new", "set", b'"2"'))

    asyncio.run(run())


def test_a_batch_whose_reply_would_be_too_large_is_refused(redis: Redis) -> None:
    entities = [Entity(b"test_limits %d" % n) for n in range(12)]
    text = b'"%b"' % (b"x" * (scripts.REPLY_BYTES // 10))

    async def run() -> int:
        async with opened(redis.address) as store:
            for entity in entities:
                await store.execute(put((b'"a"', text), entity=entity))
            assert len(await store.execute(Read(tuple(entities[:9]), batch=True))) == 9  # type: ignore[arg-type]
            with pytest.raises(FilterError) as caught:
                await store.execute(Read(tuple(entities), batch=True))
            for entity in entities:
                await store.execute(Delete(entity))
        return caught.value.status

    assert asyncio.run(run()) == 400


def test_a_redis_that_is_full_refuses_and_keeps_what_it_has(
    redis_of_one_test: StartRedis,
) -> None:
    redis = redis_of_one_test("--maxmemory", "6mb", "--maxmemory-policy", "noeviction")
    text = b'"%b"' % (b"x" * 500_000)

    async def run() -> None:
        async with opened(redis.address) as store:
            statuses = []
            for number in range(60):
                try:
                    entity = Entity(b"full %d" % (number % 30))
                    await store.execute(put((b'"a"', text), entity=entity))
                    statuses.append(201)
                except FilterError as error:
                    statuses.append(error.status)
            assert statuses[0] == 201 and set(statuses[-30:]) == {507}, statuses
            await ask(redis, "CONFIG SET maxmemory 1mb")
            before = await store.execute(Read((Entity(b"full 0"),)))
            for refused in (
                put((b'"a"', b'"new"'), entity=Entity(b"full 0")),
                Update(Entity(b"full 0"), (Change(b'"b"', "set", b'"1"'),), b'"3"'),
                Update(
                    Entity(b"full 0"),
                    (Change(b'"a"', "delete"), Change(b'"b"', "set", b'"1"')),
                    b'"3"',
                ),
            ):
                with pytest.raises(FilterError) as caught:
                    await store.execute(refused)
                assert caught.value.status == 507
                assert await store.execute(Read((Entity(b"full 0"),))) == before
            used = await ask(redis, "INFO memory")
            assert int(used.split("used_memory:")[1].split()[0]) < 9_000_000
            assert store.status()["state"] == "up"
            await store.execute(Delete(Entity(b"full 0")))

    asyncio.run(run())


def test_a_map_that_is_full_refuses_and_keeps_what_it_has() -> None:
    async def run() -> None:
        store = MemoryStore(10_000)
        text = b'"%b"' % (b"x" * 1000)
        with pytest.raises(Unavailable):
            for number in range(100):
                await store.execute(put((b'"a"', text), entity=Entity(b"%d" % number)))
        assert store.status()["bytes"] <= 10_000
        kept = store.status()["entities"]
        assert await store.execute(put((b'"a"', text), entity=Entity(b"0"))) is True
        await store.execute(Delete(Entity(b"0")))
        await store.execute(put((b'"a"', text), entity=Entity(b"new")))
        assert store.status()["entities"] == kept

    asyncio.run(run())
