"""What all connections of one port share: its application, and uvicorn's settings."""

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.server import ServerState

from service.front.application import Application, Receive, Send
from service.protocol.pace import look
from service.protocol.room import Room

if TYPE_CHECKING:
    from service.protocol.connection import Connection
    from service.protocol.uvicorns import Handed

LOOK_SECONDS = 1.0


class _Everything:
    def __contains__(self, target: object) -> bool:
        return True


_EVERYTHING = _Everything()


class Port:
    """A port. `room` is shared by all ports of the process.

    `short_way` is False only in tests; then uvicorn's class answers everything.
    """

    def __init__(
        self,
        application: Application,
        *,
        room: Room | None = None,
        short_way: bool = True,
    ) -> None:
        self.application = application
        self.room = room or Room()
        self.not_short: Container[bytes] = application.cold if short_way else _EVERYTHING
        self._looking = False
        # Connections close themselves, so uvicorn's own timer must not.
        self.uvicorns_config = uvicorn.Config(
            Followed(application),
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=10**8,
        )
        self.uvicorns_config.load()
        self.uvicorns_state = ServerState()

    def watch(self, loop: asyncio.AbstractEventLoop, state: ServerState) -> None:
        """Check every connection about once a second, with one timer for all."""
        if not self._looking:
            self._looking = True
            loop.call_later(LOOK_SECONDS, self._look, loop, state)

    def _look(self, loop: asyncio.AbstractEventLoop, state: ServerState) -> None:
        self._looking = False
        now = loop.time()
        for connection in list(state.connections):
            look(connection, now)  # type: ignore[arg-type] # all are ours
        if state.connections:
            self.watch(loop, state)


class Followed:
    """The application as uvicorn's class calls it. Tells the connection how far the request is."""

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self._application = application

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        connection: Connection = scope["state"]["connection"]
        handed: Handed = connection.turn  # type: ignore[assignment] # by _hand_over

        async def receiving() -> Mapping[str, Any]:
            return {"type": "http.disconnect"} if handed.answered else await receive()

        async def sending(message: dict[str, Any]) -> None:
            if not handed.answered:  # it was refused in the meantime, and something was written
                handed.started = True
                await send(message)

        # Without trailers, which uvicorn's class appends to the list later.
        scope = {**scope, "headers": connection.headers}
        try:
            await self._application(scope, receiving, sending)
        finally:
            connection.loop.call_soon(connection.handed_back, handed)
