"""Several calls side by side."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def together(calls: Iterable[Callable[[], T]]) -> list[T]:
    """The results in the calls' order. Raises what the first call that failed raised.

    Threads are daemons and not a pool's, because Ctrl-C must not wait for an answer of AWS.
    """
    started = [(Future[T](), call) for call in calls]
    for future, call in started[1:]:
        threading.Thread(target=run, args=(future, call), daemon=True).start()
    for future, call in started[:1]:
        run(future, call)  # the first one here: a single call needs no thread
    return [future.result() for future, _ in started]


def run(future: "Future[T]", call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except Exception as error:
        future.set_exception(error)
