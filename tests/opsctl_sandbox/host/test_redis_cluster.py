"""Slots move between real redis-servers while keys are written, and no write is lost."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis, RedisCluster

from opsctl_sandbox.host import redis_cluster
from opsctl_sandbox.host.redis_server import RedisServer
from tests.opsctl_sandbox.fleet import until


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[RedisServer]]:
    if not shutil.which("redis-server"):
        pytest.skip("no redis-server on this machine")
    made = [RedisServer(tmp_path / str(n), os.environ, in_cluster=True) for n in range(3)]
    yield made
    for server in made:
        server.close()


def test_no_write_is_lost_while_slots_move(servers: list[RedisServer]) -> None:
    one, two, three = (server.node for server in servers)
    redis_cluster.join([one, two])
    with Redis(port=one.port) as first:
        until(lambda: first.cluster("info")["cluster_state"] == "ok")
    written: list[str] = []
    stop = threading.Event()
    with RedisCluster("127.0.0.1", one.port) as cluster:

        def write() -> None:
            while not stop.wait(0.001):
                # redis-py knows a new node only after its next look.
                with suppress(AttributeError):
                    cluster.set(key := f"key-{len(written)}", key)
                    written.append(key)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            redis_cluster.move([one, two], [one, two, three])
            redis_cluster.move([one, two, three], [one])
        finally:
            stop.set()
            writer.join()
        assert len(written) > 100
        assert [cluster.get(key) for key in written] == [key.encode() for key in written]
    for node, holds in ((one, len(written)), (two, 0), (three, 0)):
        with Redis(port=node.port) as redis:
            assert redis.dbsize() == holds
