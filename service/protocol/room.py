"""Limit the memory of all connections of a process, and decide who gives way when it is exceeded.

Clients that are served in time do not notice. Those give way that have held memory longest, or that
have been silent longest among the connections of the address with the most.
"""

import heapq
import resource
from collections.abc import Iterable
from ipaddress import IPv6Address
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.protocol.connection import Connection

CONNECTIONS_LIMIT = 8_192
BUFFER_LIMIT = 64 * 1024 * 1024  # bytes, once for waiting requests, once for waiting answers
LARGE = 4_096  # bytes of a complete request; smaller ones are not worth counting
_OTHER_FILES = 128  # of Redis, the auth server, the log and so on
_AT_ONCE = 64  # a 64th of the candidates gives way at once, because finding them takes time


class Room:
    def __init__(self, *, connections: int = 0, buffers: int = BUFFER_LIMIT) -> None:
        self._most = connections or most_connections()
        self._limit = buffers
        self._addresses: dict[str, dict[Connection, None]] = {}
        self._holders: dict[Connection, int] = {}  # bytes of requests, oldest first
        self._readers: dict[Connection, int] = {}  # bytes of answers, oldest first
        self.connections = 0
        self.held = 0
        self.unread = 0

    # Connections

    def enter(self, connection: "Connection") -> None:
        self._addresses.setdefault(connection.address, {})[connection] = None
        self.connections += 1
        if self.connections > self._most:
            for one in self._silent(connection):
                self.leave(one)
                one.transport.abort()

    def leave(self, connection: "Connection") -> None:
        self.holds(connection, 0)
        self.was_read(connection)
        of_address = self._addresses.get(connection.address, {})
        if connection in of_address:
            del of_address[connection]
            self.connections -= 1
            if not of_address:
                del self._addresses[connection.address]

    def _silent(self, newcomer: "Connection") -> Iterable["Connection"]:
        """Return the longest silent connections without a request, else the newcomer."""
        most = max(map(len, self._addresses.values()))
        silent = [
            one
            for of_address in self._addresses.values()
            if len(of_address) == most
            for one in of_address
            if (one.turn is None or one.lingering) and one is not newcomer
        ]
        count = -(-len(silent) // _AT_ONCE)
        return heapq.nsmallest(count, silent, key=attrgetter("heard")) or [newcomer]

    # Requests: heads and bodies under way, and what came after an unanswered request

    def holds(self, connection: "Connection", size: int) -> None:
        self.held += size - self._holders.get(connection, 0)
        if not size:
            self._holders.pop(connection, None)
            return
        self._holders[connection] = size
        if self.held > self._limit:
            for oldest in list(self._holders):
                oldest.give_way()
                if self.held <= self._limit:
                    break

    # Answers

    def is_unread(self, connection: "Connection", size: int) -> None:
        self.unread += size - self._readers.get(connection, 0)
        self._readers[connection] = size
        while self.unread > self._limit:
            oldest = next(iter(self._readers))
            self.was_read(oldest)
            oldest.transport.abort()

    def was_read(self, connection: "Connection") -> None:
        self.unread -= self._readers.pop(connection, 0)


def most_connections() -> int:
    """Return as many as the process may open files, minus those that it needs itself."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return CONNECTIONS_LIMIT
    return max(1, min(CONNECTIONS_LIMIT, files - _OTHER_FILES))


def address_of(peer: Any) -> str:
    """Return the client's address.

    For IPv6 it is the /64 network, which one client has to itself.
    """
    host = str(peer[0]) if isinstance(peer, tuple) and peer else ""
    if ":" not in host or host.startswith("::ffff:"):
        return host
    return str(IPv6Address(int(IPv6Address(host)) >> 64 << 64))
