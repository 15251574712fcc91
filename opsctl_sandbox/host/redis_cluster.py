"""Join redis-servers to a cluster, each with an equal part of the slots, and move slots while keys
are read and written.

Source of the order of commands: https://redis.io/docs/latest/commands/cluster-setslot/
"""

import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any, Self

_SLOTS = 16384
_KEYS = 100  # moved by one command
_AT_ONCE = 200  # slots
# Seconds until every node knows all others. A node whose handshake was lost tries again after
# cluster-node-timeout, which is 15 seconds.
_PATIENCE = 60.0
_ANSWER = 30.0  # seconds until a node answers, on a busy machine
_MIGRATE = 20_000  # milliseconds that one MIGRATE may take


@dataclass(frozen=True)
class Node:
    """A redis-server by the ports of its clients and its bus. `migrate` is its name of MIGRATE."""

    port: int
    bus: int
    migrate: str


def join(nodes: Sequence[Node]) -> None:
    """Join nodes to a cluster.

    They know each other a moment after this returns; until then they say `CLUSTERDOWN`.
    """
    first = nodes[0]
    for index, node in enumerate(nodes):
        start, end = (_SLOTS * edge // len(nodes) for edge in (index, index + 1))
        with _Connection(node) as connection:
            connection.say("CLUSTER", "ADDSLOTSRANGE", start, end - 1)
            connection.say("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
    _meet(first, nodes[1:])


def move(before: Sequence[Node], after: Sequence[Node]) -> None:
    """Give the slots of the nodes `before` to those `after`, and as few as possible to others.

    Nodes that are new join first; nodes that are no longer wanted are forgotten.
    """
    new = [node for node in after if node not in before]
    _meet(before[0], new)
    every = [*before, *new]
    with ExitStack() as opened:
        connections = {node: opened.enter_context(_Connection(node)) for node in every}
        _wait_for(connections.values(), len(every))
        ids = {node: one.say("CLUSTER", "MYID").decode() for node, one in connections.items()}
        owned = {node: _owned(connections[node]) for node in every}
        for (source, target), slots in _moves(owned, after).items():
            for first in range(0, len(slots), _AT_ONCE):
                _move(slots[first : first + _AT_ONCE], source, target, connections, ids)
        for node in after:
            for gone in set(every) - set(after):
                connections[node].say("CLUSTER", "FORGET", ids[gone])


class _Connection:
    def __init__(self, node: Node) -> None:
        self.node = node
        self._socket = socket.create_connection(("127.0.0.1", node.port), timeout=_ANSWER)
        self._file: IO[bytes] = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._socket.close()

    def say(self, *command: object) -> Any:
        """Return the answer. Raises OSError when it is an error."""
        return self.say_all([command])[0]

    def say_all(self, commands: Sequence[Sequence[object]]) -> list[Any]:
        """Send all commands at once and return their answers."""
        self._socket.sendall(b"".join(map(_encoded, commands)))
        answers = [self._read() for _ in commands]
        for command, answer in zip(commands, answers, strict=True):
            if isinstance(answer, OSError):
                raise OSError(f"{' '.join(map(str, command[:3]))}: {answer}")
        return answers

    def _read(self) -> Any:
        line = self._file.readline().strip()
        kind, rest = line[:1], line[1:]
        if kind == b"*":
            return [self._read() for _ in range(int(rest))]
        if kind == b"$":
            return self._file.read(int(rest) + 2)[:-2]
        return OSError(rest.decode(errors="replace")) if kind == b"-" else rest.decode()


def _encoded(command: Sequence[object]) -> bytes:
    parts = [one if isinstance(one, bytes) else str(one).encode() for one in command]
    sent = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"*%d\r\n%s" % (len(parts), sent)


def _meet(first: Node, others: Sequence[Node]) -> None:
    with _Connection(first) as connection:
        for node in others:
            connection.say("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus)


def _nodes(connection: _Connection) -> list[list[str]]:
    return [line.split() for line in connection.say("CLUSTER", "NODES").decode().splitlines()]


def _wait_for(connections: Any, count: int) -> None:
    """Wait until every node knows all others by their own ids, and answers."""
    deadline = time.monotonic() + _PATIENCE
    for connection in connections:
        while True:
            known = [node for node in _nodes(connection) if "handshake" not in node[2]]
            if len(known) >= count and b"cluster_state:ok" in connection.say("CLUSTER", "INFO"):
                break
            if time.monotonic() > deadline:
                raise OSError("the nodes of the cluster do not find each other")
            time.sleep(0.02)


def _owned(connection: _Connection) -> list[int]:
    [own] = [node for node in _nodes(connection) if "myself" in node[2]]
    slots: list[int] = []
    for ends in own[8:]:
        start, _, end = ends.partition("-")
        slots += range(int(start), int(end or start) + 1)
    return slots


def _moves(
    owned: dict[Node, list[int]], after: Sequence[Node]
) -> dict[tuple[Node, Node], list[int]]:
    """Return source and target -> slots, so that each of `after` has its equal part."""
    share = {
        node: _SLOTS * (index + 1) // len(after) - _SLOTS * index // len(after)
        for index, node in enumerate(after)
    }
    spare = [(slot, node) for node, slots in owned.items() for slot in slots[share.get(node, 0) :]]
    moves: dict[tuple[Node, Node], list[int]] = {}
    for node in after:
        for _ in range(share[node] - len(owned[node])):
            slot, source = spare.pop()
            moves.setdefault((source, node), []).append(slot)
    return moves


def _move(
    slots: Sequence[int],
    source: Node,
    target: Node,
    connections: dict[Node, _Connection],
    ids: dict[Node, str],
) -> None:
    from_, to = connections[source], connections[target]
    set_slot = ("CLUSTER", "SETSLOT")
    to.say_all([(*set_slot, slot, "IMPORTING", ids[source]) for slot in slots])
    from_.say_all([(*set_slot, slot, "MIGRATING", ids[target]) for slot in slots])
    left = list(slots)
    while left:
        listed = from_.say_all([("CLUSTER", "GETKEYSINSLOT", slot, _KEYS) for slot in left])
        with_keys = [(slot, keys) for slot, keys in zip(left, listed, strict=True) if keys]
        for _, keys in with_keys:
            from_.say(source.migrate, "127.0.0.1", target.port, "", 0, _MIGRATE, "KEYS", *keys)
        left = [slot for slot, _ in with_keys]
    others = [one for node, one in connections.items() if node not in (source, target)]
    for connection in (to, from_, *others):
        connection.say_all([(*set_slot, slot, "NODE", ids[target]) for slot in slots])
