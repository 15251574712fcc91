"""What an error of Redis means: that this server will not do now, or that this command will not."""

import asyncio

import pytest

from service.entities.commands import Entity, Read, Replace
from service.errors import FilterError
from service.stores.store import Unavailable
from tests.service.stores.peer import listening
from tests.service.stores.test_redis import StartRedis, opened, until

KEY = Entity(b"test_connection")


@pytest.mark.parametrize(
    "refusal",
    [
        "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        # Redis 6 wraps what a script was refused.
        "ERR Error running script (call to f_70): @user_script:2: @user_script: 2:"
        " -READONLY You can't write against a read only replica. ",
    ],
)
def test_what_this_server_cannot_do_now_is_no_answer(refusal: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK\r\n" * 4)  # to the scripts and HELLO
        while data := await reader.read(65536):
            if b"EVALSHA" in data:
                writer.write(f"-{refusal}\r\n".encode())
                return

    async def run() -> None:
        async with listening(refuse) as where, opened(where) as store:
            assert store.status()["state"] == "up"
            with pytest.raises(Unavailable):
                await store.execute(Replace(KEY, (), b'"t"'))
            assert store.status()["losses"] == 1

    asyncio.run(run())


def test_a_key_that_the_user_may_not_touch_is_no_outage(redis_of_one_test: StartRedis) -> None:
    redis = redis_of_one_test("--user", "ann", "on", ">word", "~test_connection", "+@all")

    async def run() -> None:
        async with opened(redis.address, user="ann", password="word") as store:
            for refused in (Read((Entity(b"other"),)), Replace(Entity(b"other"), (), b'"t"')):
                with pytest.raises(FilterError) as caught:
                    await store.execute(refused)
                assert caught.value.status == 502
            assert await store.execute(Replace(KEY, (), b'"t"')) is False
            assert store.status()["losses"] == 0

    asyncio.run(run())


def test_a_server_that_leaves_in_the_middle_of_the_greeting_is_asked_again() -> None:
    greeted: list[bytes] = []
    left = asyncio.Event()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeted.append(await reader.read(65536))
        writer.write(b"+OK\r\n" * (3 if len(greeted) == 1 else 4))  # HELLO is the fourth
        if len(greeted) > 1:
            await reader.read()
            left.set()

    async def run() -> None:
        async with listening(greet) as where:
            async with opened(where) as store:
                await until(lambda: len(greeted) == 2 and store.status()["state"] == "up")
            await asyncio.wait_for(left.wait(), 10)

    asyncio.run(run())


def test_more_than_a_socket_takes_at_once_is_sent_all_the_same(
    redis_of_one_test: StartRedis,
) -> None:
    redis = redis_of_one_test()

    async def run() -> None:
        async with opened(redis.address) as store:
            value = b'"%b"' % (b"x" * 400_000)
            for _ in range(3):
                writes = [
                    store.execute(Replace(Entity(b"test_link, %d" % n), (b'"a"', value), b'"t"'))
                    for n in range(40)
                ]
                await asyncio.gather(*writes)
            assert store.status()["losses"] == 0

    asyncio.run(run())
