"""Run several workers on the same sockets: fork them, pass signals on, replace those that die."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0
_GOOD_LIFE = 30.0

# A worker that cannot start says so itself; a new one would only say it again.
CANNOT_START = 1


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(BaseException):
    """A signal arrived before an event loop could handle it."""


def hear() -> None:
    """Raise `Stopped` for stop signals from now on, also for one that was blocked until now."""
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    unblock_stops()


def block_stops() -> None:
    """Keep stop signals waiting until `unblock_stops`: the next handler of them gets them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def unblock_stops() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def is_ending() -> None:
    """Ignore further stop signals: the process is ending."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: FrameType | None) -> None:
    is_ending()
    raise Stopped()


class Supervisor:
    """`work` runs in each child and returns its exit status; `release` closes the sockets."""

    def __init__(self, workers: int, work: Callable[[], int], release: Callable[[], None]) -> None:
        self._workers = workers
        self._release = release
        self._work = work
        self._born: dict[int, float] = {}
        self._stopping = False
        self._pause = _FIRST_PAUSE

    def run(self) -> int:
        for number in _SIGNALS:
            signal.signal(number, self._stop)
        for _ in range(self._workers):
            self._fork()
        status = 0
        while self._born:
            worker, waited = os.wait()
            lived = time.monotonic() - self._born.pop(worker, 0.0)
            code = os.waitstatus_to_exitcode(waited)
            if self._stopping:
                status = status or abs(code)
            elif code == CANNOT_START:
                status = code
                self._stop(signal.SIGTERM, None)
            else:
                self._replace(lived)
        is_ending()
        return status

    def _replace(self, lived: float) -> None:
        self._pause = _FIRST_PAUSE if lived > _GOOD_LIFE else self._pause
        until = time.monotonic() + self._pause
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.02)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        if not self._stopping:
            self._fork()

    def _fork(self) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        worker = os.fork()
        if worker == 0:
            code = 70
            try:
                hear()
                code = self._work()
            except Stopped:
                code = 0
            finally:
                os._exit(code)
        self._born[worker] = time.monotonic()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        self._release()  # otherwise the kernel would accept connections that nobody answers
        for worker in list(self._born):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(worker, signal.SIGTERM)
