"""uvicorn's own class on our connection, unmodified, with the original bytes."""

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from service.protocol.connection import Connection


class Handed:
    """One request that uvicorn's class answers."""

    __slots__ = ("answered", "keep_alive", "started")

    def __init__(self) -> None:
        self.keep_alive = True
        self.started = False
        self.answered = False

    def abandon(self) -> None:
        self.answered = True


class Lent:
    """The transport that uvicorn's class gets.

    The connection writes and closes: it counts, and does not cut off a client that still sends.
    """

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection.transport, name)

    def write(self, data: bytes) -> None:
        self._connection.write(data)

    def is_closing(self) -> bool:
        return self._connection.is_ending

    def close(self) -> None:
        if not self._connection.is_ending:
            self._connection.linger()


def uvicorns(connection: "Connection") -> HttpToolsProtocol:
    """Return uvicorn's protocol for this connection, created on first use."""
    if connection.cold is None:
        port = connection.port
        port.uvicorns_state.default_headers = connection.server_state.default_headers
        connection.cold = HttpToolsProtocol(
            port.uvicorns_config,
            port.uvicorns_state,
            {"connection": connection},
            connection.loop,
        )
        connection.cold.connection_made(Lent(connection))  # type: ignore[arg-type] # all it uses
    return connection.cold
