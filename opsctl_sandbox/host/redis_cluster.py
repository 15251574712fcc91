"""Join redis-servers to a cluster: each holds an equal part of the slots, and they meet."""

import socket
from collections.abc import Sequence

_SLOTS = 16384


def join(nodes: Sequence[tuple[int, int]]) -> None:
    """Join nodes, given by the ports of their clients and of their bus.

    They know each other a moment after this returns; until then they say `CLUSTERDOWN`.
    """
    first, _ = nodes[0]
    for index, (port, _) in enumerate(nodes):
        start, end = (_SLOTS * edge // len(nodes) for edge in (index, index + 1))
        _say(port, f"CLUSTER ADDSLOTSRANGE {start} {end - 1}")
        _say(port, f"CLUSTER SET-CONFIG-EPOCH {index + 1}")
    for port, bus in nodes[1:]:
        _say(first, f"CLUSTER MEET 127.0.0.1 {port} {bus}")


def _say(port: int, command: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"{command}\r\n".encode())
        answer = connection.recv(256)
    if not answer.startswith(b"+OK"):
        raise OSError(f"{command}: {answer.decode(errors='replace').strip()}")
