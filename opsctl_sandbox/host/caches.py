"""Run a redis-server behind each cache, and save what it holds for snapshots."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from opsctl_sandbox.host import redis_cluster
from opsctl_sandbox.host.redis_server import RedisServer


class Caches:
    """The first cache gets the sandbox's first server. A deleted cache's server ends."""

    def __init__(self, first: RedisServer, directory: Path, environ: Mapping[str, str]) -> None:
        self._first, self._directory, self._environ = first, directory, environ
        self._open: dict[int, RedisServer] = {}
        self._idle: set[int] = set()
        self._count = 0
        self._given = False

    def open(self, holding: bytes | None = None, *, in_cluster: bool = False) -> int:
        """Return the port of a server that holds `holding`, or nothing.

        One that is to be a node of a cluster waits for `join`. Without redis-server on this
        machine, nothing listens on that port.
        """
        if not self._first.redis:
            return self._first.port
        if holding is None and not in_cluster and not self._given:
            server, self._given = self._first, True
        else:
            self._count += 1
            directory = self._directory / str(self._count)
            server = RedisServer(directory, self._environ, holding=holding, in_cluster=in_cluster)
        self._open[server.port] = server
        return server.port

    def join(self, ports: Sequence[int]) -> None:
        """Make the servers on these ports one cluster."""
        servers = [self._open[port] for port in ports if port in self._open]
        if servers:
            redis_cluster.join([server.node for server in servers])

    def move(self, before: Sequence[int], after: Sequence[int]) -> None:
        """Move the slots of a cluster from the servers on these ports to those."""
        nodes = [[self._open[port].node for port in ports] for ports in (before, after)]
        redis_cluster.move(*nodes)

    def saved(self, port: int) -> bytes | None:
        """Return what the server on this port holds, or None if there is none."""
        server = self._open.get(port)
        return server.saved() if server else None

    def keep(self, ports: set[int]) -> None:
        """End every server that no cache had, now or at the previous call.

        A new server is recorded a moment after it was started.
        """
        idle = set(self._open) - ports
        gone, self._idle = idle & self._idle, idle
        for port in gone:
            self._open.pop(port).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in self._open.values():
            if server is not self._first:
                server.close()
