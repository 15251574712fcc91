"""Parts of the service's hot path: the auth cache, and the store with and without `fallback`."""

import asyncio
import time
from collections.abc import Callable
from statistics import median

import uvloop

from bench import service_processes as processes
from bench.report import Row, report
from service.auth import cache
from service.entities.commands import Entity, Read
from service.stores import address
from service.stores.fallback import FallbackStore
from service.stores.memory import MemoryStore
from service.stores.redis import RedisStore
from service.stores.store import Store

ROUNDS = 9
TOGETHER = 64
COMMAND = Read((Entity(b"bench:t:d:1"),))


def main() -> int:
    with processes.redis() as port:
        plain, wrapped = uvloop.run(_up(f"127.0.0.1:{port}"))
    refused = uvloop.run(_refused(f"127.0.0.1:{processes.free_port()}"))
    return report(
        [
            Row("auth cache hit, us", _auth_hit() * 1e6, 2.0, 2.0),
            Row("fallback / plain redis, while it is up", wrapped / plain, 1.05, 1.05),
            Row("fallback while redis refuses, ms a request", refused * 1e3, 1.0, 1.0),
        ]
    )


def _auth_hit() -> float:
    memory = cache.Memory()
    keys = [b"Bearer token-%d" % n for n in range(1000)]
    for key in keys:
        memory.remember(key, cache.Entry({"scope": {"cids": ["c"]}}, time.time() + 600, 0.0))

    def ask() -> None:
        for key in keys:
            memory.recall(key)

    return min(_seconds(ask) for _ in range(ROUNDS)) / len(keys)


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


async def _up(where: str) -> tuple[float, float]:
    """Seconds of CPU for a command of 64 at a time: of Redis alone, and behind `fallback`."""
    plain = RedisStore(address.parse(where), timeout=5.0)
    wrapped = FallbackStore(RedisStore(address.parse(where), timeout=5.0), MemoryStore())
    stores: tuple[Store, Store] = (plain, wrapped)
    spent: list[list[float]] = [[], []]
    for store in stores:
        await store.open()
    for turn in range(2 * ROUNDS):
        for which in (0, 1) if turn % 2 else (1, 0):
            spent[which].append(await _cpu(stores[which]))
    for store in stores:
        await store.close()
    return median(spent[0]), median(spent[1])


async def _cpu(store: Store, times: int = 150) -> float:
    begin = time.thread_time()
    for _ in range(times):
        await asyncio.gather(*[store.execute(COMMAND) for _ in range(TOGETHER)])
    return (time.thread_time() - begin) / (times * TOGETHER)


async def _refused(where: str) -> float:
    """Median seconds of a command that nobody but the map answers."""
    store = FallbackStore(RedisStore(address.parse(where), timeout=0.05), MemoryStore())
    await store.open()
    times = []
    for _ in range(1000):
        begin = time.perf_counter()
        await store.execute(COMMAND)
        times.append(time.perf_counter() - begin)
    await store.close()
    return median(times)
