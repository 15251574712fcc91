"""Six real redis-servers on the loopback, joined to a cluster of three masters."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.service.redis_server import Redis, start_redis

NODE_TIMEOUT = 1000  # milliseconds until the others take a silent master's place


@dataclass(frozen=True)
class Cluster:
    nodes: tuple[Redis, ...]

    @property
    def address(self) -> str:
        return self.nodes[0].address

    def cli(self, *words: str, node: Redis | None = None) -> str:
        port = (node or self.nodes[0]).port
        command = ["redis-cli", "-h", "127.0.0.1", "-p", str(port), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout.strip()

    def id(self, node: Redis) -> str:
        return self.cli("CLUSTER", "MYID", node=node)

    def role(self, node: Redis) -> str:
        return self.cli("ROLE", node=node).split()[0]

    def masters(self) -> list[Redis]:
        return [one for one in self.nodes if self.role(one) == "master"]

    def replica_of(self, master: Redis) -> Redis:
        return next(
            one
            for one in self.nodes
            if self.role(one) == "slave"
            and self.cli("ROLE", node=one).split()[2] == str(master.port)
        )

    def move_slots(self, source: Redis, target: Redis, count: int) -> None:
        ends = ["--cluster-from", self.id(source), "--cluster-to", self.id(target)]
        how = ["--cluster-slots", str(count), "--cluster-yes", "--cluster-pipeline", "1"]
        self.settle()
        self.cli("--cluster", "reshard", self.address, *ends, *how)

    def settle(self) -> None:
        """Until everybody agrees about who has which slot, and replicas follow their masters."""
        check = ["redis-cli", "--cluster", "check", self.address]
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            agreed = subprocess.run(check, capture_output=True, timeout=30).returncode == 0
            roles = [self.cli("ROLE", node=one) for one in self.nodes]
            states = [self.cli("CLUSTER", "INFO", node=one) for one in self.nodes]
            serves = all("cluster_state:ok" in state for state in states)
            if agreed and serves and all("connected" in r for r in roles if "slave" in r):
                return
            time.sleep(0.05)
        raise AssertionError("the nodes do not agree")


def _port() -> int:
    """One that is free, and its bus, 10,000 above it, too: else the node ends at once."""
    while True:
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            port: int = probe.getsockname()[1]
            with suppress(OSError, OverflowError):
                socket.create_server(("127.0.0.1", port + 10_000)).close()
                return port


@contextmanager
def started(folder: Path) -> Iterator[Cluster]:
    nodes = []
    for number in range(6):
        own = folder / str(number)
        own.mkdir()
        options = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT)]
        options += ["--repl-diskless-sync-delay", "0", "--cluster-allow-replica-migration", "no"]
        options += ["--cluster-require-full-coverage", "no"]
        nodes.append(start_redis(own, *options, port=_port()))
    cluster = Cluster(tuple(nodes))
    try:
        addresses = [node.address for node in nodes]
        joined = ["--cluster", "create", *addresses, "--cluster-replicas", "1", "--cluster-yes"]
        cluster.cli(*joined)
        cluster.settle()
        yield cluster
    finally:
        for node in nodes:
            node.process.kill()
            node.process.wait(10)
