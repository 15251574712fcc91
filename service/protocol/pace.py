"""Check whether a client is fast enough: with its head, its body, and in reading answers."""

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
    """Measures a transfer from time to time: it must keep the least rate."""

    def __init__(self) -> None:
        # when it was measured, and the bytes until then
        self._before: tuple[float, int] | None = None

    def stop(self) -> None:
        self._before = None

    def is_kept(self, done: int, now: float, grace: float) -> bool:
        since, before = self._before = self._before or (now, done)
        if now - since < grace:
            return True
        self._before = now, done
        return done - before >= grace * LEAST_RATE


def look(connection: "Connection", now: float) -> None:
    """Check one connection, about once a second."""
    draining = connection.service.draining
    grace = STOP_SECONDS if draining else GRACE_SECONDS
    transport = connection.transport
    waiting = transport.get_write_buffer_size()
    body_is_coming = connection.head_done and not connection.complete and not connection.lingering
    if not waiting:
        connection.pace_of_reader.stop()
    if not body_is_coming:
        connection.pace_of_body.stop()
    if waiting and not connection.pace_of_reader.is_kept(connection.written - waiting, now, grace):
        transport.abort()
    elif connection.lingering:
        if waiting:
            connection.lingering = now + connection.linger_seconds  # from when it has its answer
        elif now > connection.lingering:
            transport.abort()
    elif connection.begun and not connection.head_done:
        if now - connection.since > (1 if draining else HEAD_SECONDS):
            connection.refuse(408, f"the request's head took more than {HEAD_SECONDS:g} s")
    elif body_is_coming:
        if not connection.pace_of_body.is_kept(connection.received, now, grace):
            slow = f"the request's body came slower than {LEAST_RATE} bytes a second"
            connection.refuse(408, slow)
    elif connection.turn is not None or connection.rest is not None:
        connection.heard = now  # the service itself takes the time; idle is what comes after it
    elif now - connection.heard > IDLE_SECONDS:
        transport.close()
