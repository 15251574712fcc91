"""Handle Ctrl-C during reading: the first ends it in order, the second at once."""

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
_POLL = 0.05  # seconds between checks for a signal


class Stop:
    """Called to find out whether to stop; also True when the reader of the pipe is gone.

    So nothing is lost: events held back are printed, and the bookmark is exact.
    """

    def __init__(
        self,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep, self._clock = sleep, clock
        self.requested = False
        self.code = 0
        self.unread = False
        self._pipe: select.poll | None = None

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)
        if not sys.stdout.isatty():
            self._pipe = select.poll()
            # Ask for no event: poll always reports POLLERR, which means that the reader is gone.
            self._pipe.register(sys.stdout.fileno(), 0)

    def __call__(self) -> bool:
        if self._pipe is not None and not self.unread:
            self.unread = any(event & select.POLLERR for _, event in self._pipe.poll(0))
        return self.requested or self.unread

    def sleep(self, seconds: float) -> None:
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0 and not self():
            self._sleep(min(left, _POLL))

    def run(self, call: Callable[[], T], otherwise: T) -> T:
        """Return the call's result, or `otherwise` when stopped before it ends."""
        future = in_thread(call)
        while not wait([future], _POLL).done:
            if self():
                return otherwise
        result: T = future.result()
        return result

    def end(self) -> None:
        """Raise BrokenPipeError if the reader is gone, which ends a command quietly."""
        if self.unread and not self.requested:
            raise BrokenPipeError

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.requested, self.code = True, 128 + number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
