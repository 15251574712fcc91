"""DNS names of network load balancers: each has its own loopback address with port 80, so that
`http://{DNSName}/` reaches the proxy.

Where port 80 is not allowed, the name is `127.0.0.1:PORT`, which most clients accept, too.
"""

import asyncio
import os
import socket
from collections.abc import Callable

from opsctl_sandbox.host.balancer import Balancer
from opsctl_sandbox.ministack import load_balancers

_TRIES = 20


class DnsNames:
    """Call `start` once, on the balancer's event loop."""

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    def listen(self, load_balancer: str) -> str:
        """Open the load balancer with this ARN and return its DNS name. Thread-safe."""
        listener, name = _listener()
        self._schedule(lambda: self._open(load_balancer, listener))
        return name

    def close(self, load_balancer: str) -> None:
        self._schedule(lambda: self._balancer.forget(load_balancer))

    def _open(self, arn: str, listener: socket.socket) -> None:
        opening = asyncio.ensure_future(
            self._balancer.listen(arn, listener, lambda: load_balancers.target_group(arn))
        )
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    def _schedule(self, act: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(act)


def _listener() -> tuple[socket.socket, str]:
    """Return a listening socket and the name that leads to it."""
    for number in range(_TRIES):
        place = (os.getpid() + number) % 0xFFFF
        address = f"127.88.{place >> 8}.{(place & 0xFF) or 1}"
        try:
            return socket.create_server((address, 80), backlog=512), address
        except PermissionError:
            break
        except OSError:  # taken by another sandbox, or not a loopback address on this system
            continue
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    return listener, f"127.0.0.1:{listener.getsockname()[1]}"
