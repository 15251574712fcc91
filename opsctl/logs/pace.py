"""Time, randomness, threads and quota of a reading, as arguments."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from opsctl.logs.budget import Budget
from opsctl.snapshot.together import run

Call = Callable[[], Any]


def at_once(call: Call) -> "Future[Any]":
    future: Future[Any] = Future()
    run(future, call)
    return future


def in_thread(call: Call) -> "Future[Any]":
    """Run the call in a daemon thread, because Ctrl-C must not wait for AWS to answer."""
    future: Future[Any] = Future()
    threading.Thread(target=run, args=(future, call), daemon=True).start()
    return future


@dataclass(frozen=True, slots=True)
class Pace:
    budget: Budget = field(default_factory=lambda: Budget(5.0))
    interval: float = 1.0  # seconds between two sweeps of a busy group
    hold: bool = True
    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    stopped: Callable[[], bool] = lambda: False  # called between two calls, and during one
    start: Callable[[Call], "Future[Any]"] = at_once


@dataclass(slots=True)
class Totals:
    events: int = 0
    late: int = 0
    calls: int = 0
    throttled: int = 0
    behind: float = 0.0  # seconds between the server's clock and the newest complete sweep
