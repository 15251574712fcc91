"""The shared connection: concurrency, loss, silence, and coming back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import ResponseError

from service.entities.commands import Change, Delete, Entity, Read, Replace, Update
from service.errors import FilterError
from service.stores import address
from service.stores.fallback import FallbackStore
from service.stores.redis import RedisStore
from service.stores.store import Unavailable
from tests.service.redis_server import Redis, ask
from tests.service.stores.peer import listening

ENTITY = Entity(b"test_redis")
WRITE = Replace(ENTITY, (b'"a"', b'"1"'), b'"1"')
StartRedis = Callable[..., Redis]


@asynccontextmanager
async def opened(
    where: str, timeout: float = 5, user: str = "", password: str = ""
) -> AsyncIterator[RedisStore]:
    store = RedisStore(address.parse(where), timeout=timeout, user=user, password=password)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def seconds(store: RedisStore | FallbackStore) -> tuple[float, bool]:
    """How long a read takes, and whether it was answered."""
    begin = time.perf_counter()
    try:
        await store.execute(Read((ENTITY,)))
    except Unavailable:
        return time.perf_counter() - begin, False
    return time.perf_counter() - begin, True


def test_concurrent_updates_lose_none(redis: Redis) -> None:
    async def run() -> object:
        async with opened(redis.address) as one, opened(f"unix:{redis.path}") as two:
            await one.execute(Delete(ENTITY))
            update = Update(
                ENTITY, (Change(b'"n"', "add", b"1"), Change(b'"l"', "append", b'"x"')), b'"1"'
            )
            await asyncio.gather(*[s.execute(update) for s in (one, two) for _ in range(1000)])
            return await one.execute(Read((ENTITY,), (b'"n"', b'"l"')))

    expected = b"[%b]" % b",".join([b'"x"'] * 2000)
    assert asyncio.run(run()) == [[b"last_update", b'"1"', b'"n"', b'"2000"', b'"l"', expected]]


def test_scripts_that_were_flushed_are_sent_again(redis: Redis) -> None:
    async def run() -> None:
        async with opened(redis.address) as store:
            await ask(redis, "SCRIPT FLUSH")
            await store.execute(WRITE)
            await store.execute(Update(ENTITY, (Change(b'"a"', "add", b"1"),), b'"2"'))

    asyncio.run(run())


def test_a_key_of_another_type_is_an_answer_and_no_outage(redis: Redis) -> None:
    async def run() -> None:
        async with opened(redis.address) as store:
            await ask(redis, "SET text x")
            with pytest.raises(FilterError) as caught:
                await store.execute(Read((Entity(b"text"),)))
            assert caught.value.status == 502
            assert isinstance(caught.value.__cause__, ResponseError)
            assert store.status()["state"] == "up"

    asyncio.run(run())


def test_user_password_and_database_are_sent(redis_of_one_test: StartRedis) -> None:
    redis = redis_of_one_test("--requirepass", "s3cret")

    async def run() -> None:
        where = f"redis://{redis.address}/3"
        async with opened(where, user="default", password="s3cret") as store:
            await store.execute(WRITE)
        async with opened(where, password="wrong") as store:
            assert "WRONGPASS" in store.status()["why"]
            assert "s3cret" not in str(store.status())
            with pytest.raises(Unavailable):
                await store.execute(WRITE)

    asyncio.run(run())


def test_a_redis_that_dies_is_noticed_at_once_and_found_again(
    redis_of_one_test: StartRedis,
) -> None:
    redis = redis_of_one_test()

    async def run() -> None:
        async with opened(redis.address, timeout=0.05) as store:
            await store.execute(WRITE)
            redis.process.kill()
            redis.process.wait()
            await until(lambda: store.status()["state"] == "down")
            assert (await seconds(store))[0] < 1
            times = sorted([(await seconds(store))[0] for _ in range(100)])
            assert times[50] < 0.01, "nobody waits for the timeout"
            again = redis_of_one_test(port=redis.port)
            await until(lambda: store.status()["state"] == "up")
            await store.execute(WRITE)
            assert again.process.poll() is None

    asyncio.run(run())


def test_a_silent_peer_costs_one_timeout_and_then_nothing() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def run() -> None:
        begin = time.perf_counter()
        async with listening(silent) as where, opened(where, timeout=0.05) as store:
            assert time.perf_counter() - begin < 2
            fallback = FallbackStore(store)
            times = sorted([(await seconds(fallback))[0] for _ in range(100)])
            assert times[50] < 0.01, "nobody waits for the timeout"

    asyncio.run(run())


def test_a_server_that_falls_silent_fails_those_who_wait(redis_of_one_test: StartRedis) -> None:
    redis = redis_of_one_test()

    async def run() -> None:
        async with opened(redis.address, timeout=0.05) as store:
            await store.execute(WRITE)
            await ask(redis, "CLIENT PAUSE 2000")
            took, answered = await seconds(store)
            assert not answered and took < 1.5
            assert store.status()["why"].startswith("no reply within")

    asyncio.run(run())


def test_a_slow_event_loop_is_not_taken_for_a_silent_server(redis: Redis) -> None:
    async def run() -> None:
        async with opened(redis.address, timeout=0.05) as store:
            for _ in range(5):
                waiting = asyncio.ensure_future(store.execute(WRITE))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                time.sleep(0.08)
                await waiting
            assert store.status()["losses"] == 0

    asyncio.run(run())


def test_fallback_serves_from_the_map_counts_and_says_when_redis_is_back(
    redis_of_one_test: StartRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis = redis_of_one_test()

    async def run() -> None:
        async with opened(redis.address, timeout=0.05) as first:
            store = FallbackStore(first)
            redis.process.kill()
            redis.process.wait()
            await until(lambda: first.status()["state"] == "down")
            # Redis may have it, so nobody says that it was made now.
            assert await store.execute(WRITE) is True
            assert await store.execute(WRITE) is True
            await store.execute(Read((ENTITY,)))
            status = store.status()["fallback"]
            assert status.pop("map")["entities"] == 1
            assert 0 < status.pop("journal_bytes") < 1000
            assert status == {
                "serving": True,
                "served": 3,
                "writes": 2,
                "writes_not_kept": 0,
                "entities_written": 1,
                "keys": ["test_redis"],
            }
            redis_of_one_test(port=redis.port)
            await until(lambda: first.status()["state"] == "up")
            assert await store.execute(Read((ENTITY,))) == ([],)
            assert store.status()["fallback"]["serving"] is False

    asyncio.run(run())
    said = [r.getMessage() for r in caplog.records if r.name == "service.stores.fallback"]
    assert len(said) == 2
    assert "the map served 3 commands; 1 entities" in said[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cache", "redis://cache:6379/0"),
        ("cache:7000", "redis://cache:7000/0"),
        ("redis://cache/2", "redis://cache:6379/2"),
        ("rediss://cache.example:6380", "rediss://cache.example:6380/0"),
        ("[::1]:6379", "redis://[::1]:6379/0"),
        ("unix:/run/redis.sock", "unix:/run/redis.sock"),
    ],
)
def test_addresses(text: str, expected: str) -> None:
    assert str(address.parse(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "http://x", "redis://u:p@x", "x:port", "x:70000", "redis://x/y", "redis://x?a=b", ":1"],
)
def test_wrong_addresses(text: str) -> None:
    with pytest.raises(ValueError):
        address.parse(text)
