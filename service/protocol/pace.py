"""Whether a client is in time: with its head, its body, and what is written to it."""

from typing import TYPE_CHECKING

from service.protocol.limits import (
    GRACE_SECONDS,
    HEAD_SECONDS,
    IDLE_SECONDS,
    LEAST_RATE,
    STOP_SECONDS,
)

if TYPE_CHECKING:
    from service.protocol.connection import Connection


class Pace:
    def __init__(self) -> None:
        self._before: tuple[float, int] | None = None  # when it was measured, and bytes not taken

    def is_kept(self, waiting: int, now: float, grace: float) -> bool:
        """`waiting` bytes are not taken yet; a client has GRACE seconds for the least rate."""
        if not waiting:
            self._before = None
            return True
        since, before = self._before or (now, waiting)
        if now - since < grace:
            self._before = since, before
            return True
        self._before = now, waiting
        return before - waiting >= grace * LEAST_RATE


def look(connection: "Connection", now: float) -> None:
    """Whether it is in time; each connection is looked at about once a second."""
    draining = connection.service.draining
    grace = STOP_SECONDS if draining else GRACE_SECONDS
    transport = connection.transport
    if connection.lingering:
        if now > connection.lingering:
            transport.abort()
    elif not connection.pace.is_kept(transport.get_write_buffer_size(), now, grace):
        transport.abort()
    elif connection.begun and not connection.head_done:
        if now - connection.since > (1 if draining else HEAD_SECONDS):
            connection.refuse(408, f"the request's head took more than {HEAD_SECONDS:g} s")
    elif connection.begun and not connection.complete:
        connection.since = connection.since or connection.heard
        if connection.received < (now - connection.since - grace) * LEAST_RATE:
            slow = f"the request's body came slower than {LEAST_RATE} bytes a second"
            connection.refuse(408, slow)
    elif connection.turn is not None or connection.rest is not None:
        pass  # it is the service that takes its time
    elif now - connection.heard > IDLE_SECONDS:
        transport.close()
