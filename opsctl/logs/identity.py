"""Where a stream's task or instance runs: availability zones, by the names of streams."""

import re
from collections.abc import Callable, Mapping

from opsctl import aws
from opsctl.logs.pace import in_thread
from opsctl.snapshot.snapshot import Look, Snapshot

_LOOK = Look(frozenset(("tasks", "instances")))
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}$")
_INSTANCE = re.compile(r"i-[0-9a-f]+$")
_SHORT = 8  # characters of an id that tell tasks apart


def short_id(stream: str) -> str:
    """The task or instance a stream belongs to, short enough for a column.

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
    """The zone of each task and instance, by its short id."""
    known = {task.id[:_SHORT]: task.zone for task in now.tasks}
    return known | {one.id[:10]: one.zone for one in now.instances}


class Zones:
    """Asked for once, in the background; '' until AWS has answered, and where it did not."""

    def __init__(self, look: Callable[[Look], Snapshot]) -> None:
        self._known: Mapping[str, str] = {}
        self._reading = in_thread(lambda: zones(look(_LOOK)))

    def __call__(self, stream: str) -> str:
        return self._known.get(short_id(stream), "")

    def arrived(self) -> bool:
        """True once, when there is an answer."""
        if self._known or not self._reading.done():
            return False
        error = self._reading.exception()
        if error is not None:
            if aws.fault(error) is None:
                raise error
            return False
        self._known = self._reading.result()
        return bool(self._known)
