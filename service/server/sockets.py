"""The sockets of the sites' ports.

They are bound at once, so that a port in use is reported at once, but listen only when somebody can
answer.
"""

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping, Sequence

from service.directives import SitePlan
from service.errors import StartError

BACKLOG = 2048

Binding = tuple[str, int]


def bindings(texts: Sequence[str]) -> dict[int, Binding]:
    """Parse `80=127.0.0.1:18080` into {80: ("127.0.0.1", 18080)}. Raises StartError."""
    bound: dict[int, Binding] = {}
    for text in texts:
        port, equals, address = text.strip().partition("=")
        host, colon, number = address.rpartition(":")
        digits = port.isdecimal() and number.isdecimal()
        if not (equals and colon and digits and int(number) < 65536):
            raise StartError(f"'{text}' is not SITE_PORT=HOST:PORT, such as 80=127.0.0.1:18080")
        bound[int(port)] = (host.strip("[]"), int(number))
    return bound


def bind(plans: Sequence[SitePlan], overrides: Mapping[int, Binding]) -> dict[int, socket.socket]:
    """Return one bound socket for each port of the sites. Raises StartError."""
    ports = sorted({plan.address.port for plan in plans})
    if unknown := sorted({*overrides} - {*ports}):
        raise StartError(f"no site has the port {unknown[0]}; there are {ports}")
    sockets: dict[int, socket.socket] = {}
    try:
        for port in ports:
            sockets[port] = _bound(*overrides.get(port, ("", port)))
    except StartError:
        for one in sockets.values():
            one.close()
        raise
    return sockets


def listen(sockets: Mapping[int, socket.socket]) -> None:
    """Let clients connect. Raises StartError."""
    for one in sockets.values():
        try:
            one.listen(BACKLOG)
        except OSError as error:
            host, port = one.getsockname()[:2]
            raise _refused(host, port, error) from None


def _bound(host: str, port: int) -> socket.socket:
    everywhere = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if ":" in host or everywhere else socket.AF_INET
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _refused(host, port, error) from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if everywhere else 1)
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise _refused(host, port, error) from None
    return made


def _refused(host: str, port: int, error: OSError) -> StartError:
    where = f"{host}:{port}" if host else f"port {port}"
    return StartError(f"cannot listen on {where}: {os.strerror(error.errno or 0)}")


def accept_all(listening: socket.socket) -> Iterator[socket.socket]:
    """Yield clients that have already connected."""
    listening.setblocking(False)
    with contextlib.suppress(OSError):
        while True:
            yield listening.accept()[0]
