"""Parts of the service's hot path: the auth cache, the log, and `fallback` without a Redis."""

import time
from collections.abc import Callable
from contextlib import suppress
from statistics import median

import uvloop

from bench import service_processes as processes
from bench.report import Row, report
from service.auth import cache
from service.chain import Exchange, Handler, Request, Response, Site
from service.entities.commands import Entity, Read
from service.filters import awscloudwatch
from service.stores import address
from service.stores.fallback import FallbackStore
from service.stores.memory import MemoryStore
from service.stores.redis import RedisStore

ROUNDS = 9
COMMAND = Read((Entity(b"bench:t:d:1"),))


def main() -> int:
    refused = uvloop.run(_refused(f"127.0.0.1:{processes.free_port()}"))
    return report(
        [
            Row("auth cache hit, us", _auth_hit() * 1e6, 2.0, 2.0),
            Row("awscloudwatch when nothing goes wrong, us", _log_pass() * 1e6, 2.0, 2.0),
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
