"""Make several calls side by side."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def together(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Return the results in the order of the calls. Raises the first error in that order.

    Uses daemon threads, not a pool, because Ctrl-C must not wait for AWS to answer.
    """
    started = [(Future[T](), call) for call in calls]
    for future, call in started[1:]:
        threading.Thread(target=run, args=(future, call), daemon=True).start()
    for future, call in started[:1]:
        run(future, call)  # run the first one in this thread, so that a single call needs no other
    return [future.result() for future, _ in started]


def run(future: "Future[T]", call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except Exception as error:
        future.set_exception(error)
