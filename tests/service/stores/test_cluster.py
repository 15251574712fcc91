"""A real cluster moves slots, changes masters and loses one, under load."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis.crc import key_slot

from service.entities.commands import Change, Delete, Entity, Read, Replace, Update
from service.errors import StartError
from service.stores import address
from service.stores.cluster import ClusterStore
from service.stores.fallback import FallbackStore
from service.stores.redis import RedisStore
from service.stores.store import Store, Unavailable
from tests.service.redis_cluster import Cluster, started
from tests.service.redis_server import Redis
from tests.service.stores.peer import listening
from tests.service.stores.test_redis import until

CLIENTS = 24
MOVED = 1500
# redis-cli moves the lowest slots first: half of the keys have to be there.
_LOW = [n for n in range(1000) if key_slot(b"load:%d" % n) < MOVED][: CLIENTS // 2]
NUMBERS = [*_LOW, *[n for n in range(1000) if n not in _LOW][: CLIENTS // 2]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with started(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@asynccontextmanager
async def opened(where: str, timeout: float = 5) -> AsyncIterator[ClusterStore]:
    store = ClusterStore(address.parse(where), timeout=timeout)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@dataclass
class Load:
    """Each client counts on an entity of its own; what was acknowledged has to be there."""

    store: Store
    acknowledged: Counter[int] = field(default_factory=Counter)
    sent: Counter[int] = field(default_factory=Counter)
    unavailable: int = 0
    stop: bool = False

    async def client(self, number: int) -> None:
        own = Entity(b"load:%d" % number)
        add = Update(own, (Change(b'"n"', "add", b"1"),), b'"t"')
        await self.store.execute(Replace(own, (), b'"t"'))
        while not self.stop:
            self.sent[number] += 1
            try:
                await self.store.execute(add)
            except Unavailable:
                self.unavailable += 1
                await asyncio.sleep(0.01)
            else:
                self.acknowledged[number] += 1
                (reply,) = await self._read(own)
                assert self.acknowledged[number] <= int(reply[3].strip(b'"')) <= self.sent[number]

    async def _read(self, own: Entity) -> list[list[bytes]]:
        while True:
            try:
                return await self.store.execute(Read((own,), (b'"n"',)))  # type: ignore[return-value]
            except Unavailable:
                self.unavailable += 1
                await asyncio.sleep(0.01)

    async def more(self, count: int) -> None:
        target = self.acknowledged.total() + count
        async with asyncio.timeout(60):
            while self.acknowledged.total() < target:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def under_load(store: Store) -> AsyncIterator[Load]:
    load = Load(store)
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for number in NUMBERS:
            group.create_task(load.client(number))
        await load.more(500)
        yield load
        load.stop = True


def test_every_command_finds_its_node(cluster: Cluster) -> None:
    async def run() -> None:
        async with opened(cluster.address) as store:
            entities = tuple(Entity(b"batch:%d" % n) for n in range(100))
            for number, entity in enumerate(entities[:-1]):
                value = b'"%d"' % number
                assert await store.execute(Replace(entity, (b'"n"', value), b'"t"')) is False
            replies = await store.execute(Read(entities, batch=True))
            assert isinstance(replies, list)
            assert [reply[3] for reply in replies[:-1]] == [b'"%d"' % n for n in range(99)]
            assert replies[-1] == []
            for entity in entities:
                await store.execute(Delete(entity))
            assert await store.execute(Read(entities, batch=True)) == [[]] * 100
            status = store.status()
            assert (status["state"], status["slots"], len(status["nodes"])) == ("up", 16384, 3)
            assert status["redirections"] == 0

    asyncio.run(run())


def test_resharding_loses_no_acknowledged_write(cluster: Cluster) -> None:
    async def run() -> tuple[Load, int]:
        async with opened(cluster.address) as store:
            async with under_load(store) as load:
                first, second, third = await asyncio.to_thread(cluster.masters)
                for source, target in ((first, second), (second, third), (third, first)):
                    await asyncio.to_thread(cluster.move_slots, source, target, MOVED)
                    await load.more(200)
            return load, store.status()["redirections"]

    load, redirections = asyncio.run(run())
    assert load.unavailable == 0
    assert redirections > 0
    assert load.sent == load.acknowledged


def test_a_failover_that_is_asked_for_loses_no_acknowledged_write(cluster: Cluster) -> None:
    def fail_over(master: Redis) -> None:
        replica = cluster.replica_of(master)
        assert cluster.cli("CLUSTER", "FAILOVER", node=replica) == "OK"
        deadline = time.monotonic() + 20
        while cluster.role(replica) != "master" and time.monotonic() < deadline:
            time.sleep(0.02)

    async def run() -> Load:
        async with opened(cluster.address) as store:
            async with under_load(store) as load:
                for master in await asyncio.to_thread(cluster.masters):
                    await asyncio.to_thread(fail_over, master)
                    await load.more(500)
            return load

    load = asyncio.run(run())
    assert load.acknowledged.total() > 1500


def test_a_cluster_node_without_the_word_is_one_sentence_at_start(cluster: Cluster) -> None:
    async def run(make: Callable[[], RedisStore | ClusterStore]) -> str:
        store = make()
        with pytest.raises(StartError) as caught:
            await store.open()
        await store.close()
        return str(caught.value)

    where = address.parse(cluster.address)
    status = asyncio.run(run(lambda: RedisStore(where, timeout=5)))
    assert (
        status
        == f"redis {where}: it is a node of a cluster: write the line `cluster` into redis' block"
    )


def test_the_word_without_a_cluster_is_one_sentence_at_start(redis: Redis) -> None:
    async def run() -> str:
        store = ClusterStore(address.parse(redis.address), timeout=5)
        with pytest.raises(StartError) as caught:
            await store.open()
        await store.close()
        return str(caught.value)

    assert "it is not in cluster mode: take the line `cluster` out of" in asyncio.run(run())


def test_a_slot_map_that_makes_no_sense_is_read_again(tmp_path: Path) -> None:
    maps = 0

    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal maps
        while count := await reader.readline():
            words = []
            for _ in range(int(count[1:])):
                length = int((await reader.readline())[1:])
                words.append((await reader.readexactly(length + 2))[:-2])
            if words[0] == b"HELLO":
                writer.write(b"*2\r\n$4\r\nmode\r\n$7\r\ncluster\r\n")
            elif words[0] == b"CLUSTER":
                maps += 1
                writer.write(b"*1\r\n*1\r\n:5\r\n")
            else:
                writer.write(b"+OK\r\n")

    async def run() -> str:
        async with listening(odd) as where, opened(where, timeout=0.05) as store:
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await store.execute(Read((Entity(b"one"),)))
                await asyncio.sleep(0.15)
            return store.why

    why = asyncio.run(run())
    assert maps > 2 and why


def test_a_master_that_dies_is_replaced_and_the_map_serves_meanwhile(tmp_path: Path) -> None:
    async def settle(condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(30):
            while not await condition():
                await asyncio.sleep(0.05)

    async def run(cluster: Cluster) -> None:
        async with opened(cluster.address, timeout=0.3) as first:
            store = FallbackStore(first)
            entities = [Entity(b"dies:%d" % n) for n in range(60)]
            victim = cluster.masters()[1]
            victim.process.kill()
            victim.process.wait(10)
            await until(lambda: not first.whole)
            answered = await asyncio.gather(
                *[store.execute(Replace(one, (), b'"t"')) for one in entities]
            )
            assert len(answered) == 60
            assert store.status()["fallback"]["serving"] is True
            assert 5 < store.status()["fallback"]["served"] < 50, "other shards went on serving"

            async def back() -> bool:
                await store.execute(Replace(Entity(b"dies:0"), (), b'"t"'))
                return store.status()["fallback"]["serving"] is False

            await settle(back)
            assert (first.status()["state"], first.whole) == ("up", True)
            for entity in entities:
                await store.execute(Replace(entity, (), b'"t"'))

    with started(tmp_path) as cluster:
        asyncio.run(run(cluster))
