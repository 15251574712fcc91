"""Parts of the service's hot path: the auth cache, the log, and `fallback` without a Redis."""

import asyncio
import gc
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median

import uvloop

from bench import service_processes as processes
from bench.report import Row, report
from service.auth import cache
from service.chain import Exchange, Handler, Request, Response, Site
from service.entities import document
from service.entities.commands import Entity, Read, Replace
from service.filters import awscloudwatch
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
        added = uvloop.run(_added(f"127.0.0.1:{port}"))
    refused = uvloop.run(_refused(f"127.0.0.1:{processes.free_port()}"))
    kept = asyncio.run(_kept())
    return report(
        [
            Row("auth cache hit, us", _auth_hit() * 1e6, 2.0, 2.0),
            Row("awscloudwatch when nothing goes wrong, us", _log_pass() * 1e6, 2.0, 2.0),
            # A twentieth of what a whole request takes; see bench/service.py.
            Row("fallback while redis is up, us a request", added * 1e6, 1.25, 1.25),
            Row("fallback while redis refuses, ms a request", refused * 1e3, 1.0, 1.0),
            Row("memory of an entity of ten attributes / its JSON", kept, 8.0, 4.0),
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


def _log_pass() -> float:
    """What the filter adds to a request that it has nothing to say of."""
    site, options = Site("", 80), awscloudwatch.Options("error", "bench", "bench-", 1)
    logs = awscloudwatch.AwsCloudWatch(options, site)
    exchange, response = Exchange(Request("GET", b"/", "/")), Response(200)

    async def end(exchange: Exchange) -> Response:
        return response

    def passing(run: Handler) -> Callable[[], None]:
        def thousand() -> None:
            for _ in range(1000):
                with suppress(StopIteration):
                    run(exchange).__await__().send(None)

        return thousand

    bare = min(_seconds(passing(end)) for _ in range(ROUNDS))
    logged = min(_seconds(passing(lambda exchange: logs(exchange, end))) for _ in range(ROUNDS))
    return (logged - bare) / 1000


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


async def _added(where: str) -> float:
    """Seconds of CPU that `fallback` adds to a command of 64 at a time."""
    plain = RedisStore(address.parse(where), timeout=5.0)
    wrapped = FallbackStore(RedisStore(address.parse(where), timeout=5.0))
    stores: tuple[Store, Store] = (plain, wrapped)
    spent: tuple[list[float], list[float]] = ([], [])
    for store in stores:
        await store.open()
    for turn in range(4 * ROUNDS):
        for which in (0, 1) if turn % 2 else (1, 0):
            spent[which].append(await _cpu(stores[which]))
    for store in stores:
        await store.close()
    return min(spent[1]) - min(spent[0])


async def _cpu(store: Store, times: int = 100) -> float:
    begin = time.thread_time()
    for _ in range(times):
        await asyncio.gather(*[store.execute(COMMAND) for _ in range(TOGETHER)])
    return (time.thread_time() - begin) / (times * TOGETHER)


async def _refused(where: str) -> float:
    """Median seconds of a command that nobody but the map answers."""
    store = FallbackStore(RedisStore(address.parse(where), timeout=0.05))
    await store.open()
    await store.execute(Replace(COMMAND.entities[0], (), b'"t"'))
    times = []
    for _ in range(1000):
        begin = time.perf_counter()
        await store.execute(COMMAND)
        times.append(time.perf_counter() - begin)
    await store.close()
    return median(times)


async def _kept(count: int = 20_000) -> float:
    """Memory that the map takes for an entity of ten attributes, in bytes of its JSON."""
    store = MemoryStore()
    text = b"x" * 20
    gc.collect()
    before = _resident()
    for number in range(count):
        form = b"&".join(b"field%d=%b" % (n, text) for n in range(10))
        await store.execute(_command(number, form))
    grown = _resident() - before
    (reply,) = await store.execute(Read((_entity(7),)))  # type: ignore[misc] # a list of one
    return grown / count / len(document.entity(_entity(7), reply))


def _entity(number: int) -> Entity:
    return Entity(b"c1:user:example.com:%d" % number, b'{"key":"%d"' % number)


def _command(number: int, form: bytes) -> Replace:
    pairs = (pair.partition(b"=") for pair in form.split(b"&"))
    members = tuple(b'"%b"' % part for name, _, value in pairs for part in (name, value))
    return Replace(_entity(number), members, b'"2026-11-26T00:00:00Z"')


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
