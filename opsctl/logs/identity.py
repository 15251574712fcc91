"""Find the availability zone of a stream's task or instance, by the stream's name."""

import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from opsctl.logs.pace import Call, in_thread
from opsctl.snapshot.snapshot import Look, Snapshot

_LOOK = Look(frozenset(("tasks", "instances")))
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}$")
_INSTANCE = re.compile(r"i-[0-9a-f]+$")
_AGAIN = 30.0  # seconds between two attempts to find unknown streams
_SHORT = 8  # characters of an id that distinguish tasks


def short_id(stream: str) -> str:
    """Return the task or instance of a stream, short enough for a column.

    Streams are named `prefix/container/task`, `task`, `instance`, `cluster/instance`, or
    `{root}{timestamp}-{task or number}`.
    """
    last = stream.rsplit("/", 1)[-1]
    if instance := _INSTANCE.search(last):
        return instance.group()[:10]
    if uuid := _UUID.search(last):
        return uuid.group()[:_SHORT]
    return last.rsplit("-", 1)[-1][:_SHORT]


def zones(now: Snapshot) -> Mapping[str, str]:
    """Return the zone of each task and instance, by short id."""
    known = {task.id[:_SHORT]: task.zone for task in now.tasks}
    return known | {one.id[:10]: one.zone for one in now.instances}


class Zones:
    """Zones, read in the background; '' while or if a zone is not known.

    An unknown stream may belong to a new task, so zones are read again from time to time.
    """

    def __init__(
        self,
        look: Callable[[Look], Snapshot],
        *,
        now: Callable[[], float] = time.monotonic,
        start: Callable[[Call], "Future[Any]"] = in_thread,
    ) -> None:
        self._look, self._now, self._start = look, now, start
        self._known: Mapping[str, str] = {}
        self._reading: Future[Any] | None = None
        self._read_at = -_AGAIN

    def __call__(self, stream: str) -> str:
        id = short_id(stream)
        if id not in self._known:
            self._refresh()
        return self._known.get(id, "")

    def _refresh(self) -> None:
        if self._reading is not None and self._reading.done():
            reading, self._reading = self._reading, None
            # A failure is not reported: the lines themselves are there.
            if reading.exception() is None:
                self._known = reading.result()
        if self._reading is None and self._now() >= self._read_at + _AGAIN:
            self._read_at = self._now()
            self._reading = self._start(lambda: zones(self._look(_LOOK)))
