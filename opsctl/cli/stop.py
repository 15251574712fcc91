"""Ctrl-C while something is read: the first ends it in order, the second one at once."""

import select
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import wait
from types import FrameType
from typing import TypeVar

from opsctl.logs.pace import in_thread

T = TypeVar("T")
_POLL = 0.05  # seconds: how soon a signal is answered, whatever goes on


class Stop:
    """Asked whether to stop; also when nobody reads any more what is written to a pipe.

    This way nothing is lost: what was read and held back is printed, and the bookmark is exact.
    """

    def __init__(self) -> None:
        self.requested = False
        self.code = 0
        self.unread = False
        self._pipe: select.poll | None = None

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)
        if not sys.stdout.isatty():
            self._pipe = select.poll()
            # No event but the one that is always told: POLLERR, that the reader is gone.
            self._pipe.register(sys.stdout.fileno(), 0)

    def __call__(self) -> bool:
        if self._pipe is not None and not self.unread:
            self.unread = any(event & select.POLLERR for _, event in self._pipe.poll(0))
        return self.requested or self.unread

    def sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self():
            time.sleep(min(left, _POLL))

    def run(self, call: Callable[[], T], otherwise: T) -> T:
        """What the call gives, or `otherwise` when that is not waited for any more."""
        future = in_thread(call)
        while not wait([future], _POLL).done:
            if self():
                return otherwise
        result: T = future.result()
        return result

    def end(self) -> None:
        """Raises BrokenPipeError when the reader has left: it ends a command quietly."""
        if self.unread and not self.requested:
            raise BrokenPipeError

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.requested, self.code = True, 128 + number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
