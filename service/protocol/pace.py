"""Whether a client takes what is written to it."""

from service.protocol.limits import LEAST_RATE


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
