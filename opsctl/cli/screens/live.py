"""The part of a terminal that is redrawn while something runs; nothing without a terminal."""

import os
import signal
import sys
from collections.abc import Callable
from threading import Event, RLock, Thread
from types import FrameType
from typing import TYPE_CHECKING, Any

from opsctl.cli.screens.console import Console

if TYPE_CHECKING:
    from rich.console import Console as Screen
    from rich.console import RenderableType


def start(
    console: Console,
    render: "Callable[[], RenderableType]",
    *,
    per_second: int,
    transient: bool = False,
) -> "Drawing | None":
    """Return what draws on stderr, for the caller to stop; None without a terminal."""
    if not console.terminal:
        return None
    # Imported here, because only terminals need rich and it starts slowly.
    from rich.console import Console as Screen
    from rich.live import Live

    screen = Screen(stderr=True)

    def make() -> Any:
        return Live(
            get_renderable=render,
            console=screen,
            auto_refresh=False,
            transient=transient,
            redirect_stdout=sys.stdout.isatty(),
        )

    return Drawing(screen, make, 1 / per_second)


class Drawing:
    """A rich Live that is redrawn every `pause` seconds, but not while Ctrl-Z stops this process:
    the shell needs its cursor, and moves it.

    One lock holds lines that are printed above the drawing apart from its redrawing. Without it,
    rich erases as many lines as the drawing had before, if its height changes at that moment.
    """

    def __init__(self, screen: "Screen", make: Callable[[], Any], pause: float) -> None:
        self._screen, self._make, self._pause = screen, make, pause
        self._lock = RLock()
        self._before: Any = signal.getsignal(signal.SIGTSTP)
        self._draw()

    def stop(self) -> None:
        signal.signal(signal.SIGTSTP, self._before)
        self._erase()

    def print(self, text: str, style: str) -> None:
        """Print a line above the drawing."""
        with self._lock:
            self._screen.print(text, style=style, markup=False)

    def _draw(self) -> None:
        # A Ctrl-Z that comes meanwhile waits.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
        signal.signal(signal.SIGTSTP, self._suspend)
        self._live = self._make()
        self._live.start(refresh=True)
        sys.stdout, sys.stderr = _locked(sys.stdout, self._lock), _locked(sys.stderr, self._lock)
        self._ended = Event()
        self._thread = Thread(target=self._redraw, args=(self._live, self._ended), daemon=True)
        self._thread.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})

    def _redraw(self, live: Any, ended: Event) -> None:
        while not ended.wait(self._pause):
            with self._lock:
                live.refresh()

    def _erase(self) -> None:
        self._ended.set()
        self._thread.join()
        self._live.stop()  # which also puts back both streams

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        self._erase()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        self._draw()  # after SIGCONT


def _locked(stream: Any, lock: RLock) -> Any:
    return stream if stream in (sys.__stdout__, sys.__stderr__) else _Locked(stream, lock)


class _Locked:
    """rich's stream that prints above the drawing, one caller at a time."""

    def __init__(self, stream: Any, lock: RLock) -> None:
        self._stream, self._lock = stream, lock

    def write(self, text: str) -> int:
        with self._lock:
            written: int = self._stream.write(text)
            return written

    def flush(self) -> None:
        with self._lock:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
