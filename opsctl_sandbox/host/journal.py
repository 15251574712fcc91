"""Send log lines of tasks, agents and instances to CloudWatch Logs, in small batches."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from opsctl_sandbox.wire.calls import Refused
from opsctl_sandbox.wire.local_client import LocalClient

Place = tuple[str, str]  # group, stream
Event = dict[str, Any]
_LONGEST = 16 * 1024  # characters; Docker cuts lines at this length for its log drivers


class Journal:
    def __init__(self, inside: LocalClient, *, clock: Callable[[], float] = time.time) -> None:
        self._inside = inside
        self._clock = clock
        self._waiting: dict[Place, list[Event]] = defaultdict(list)
        self._made: set[Place] = set()

    def write(self, place: Place | None, line: str) -> None:
        """Keep a line. Nothing is kept for a place of None, which means no log driver."""
        if place is not None and line:
            for start in range(0, len(line), _LONGEST):
                text = line[start : start + _LONGEST]
                event = {"timestamp": int(self._clock() * 1000), "message": text}
                self._waiting[place].append(event)

    async def flush(self) -> None:
        waiting, self._waiting = self._waiting, defaultdict(list)
        for place, events in waiting.items():
            await self._put(place, events)

    async def _put(self, place: Place, events: list[Event]) -> None:
        group, stream = place
        names = {"logGroupName": group, "logStreamName": stream}
        try:
            if place not in self._made:
                self._made.add(place)
                await self._inside.call("logs", "CreateLogStream", **names)
        except Refused as error:
            # As on AWS, a missing group accepts no lines.
            if error.code != "ResourceAlreadyExistsException":
                self._made.discard(place)
                return
        try:
            for batch in _batches(events):
                await self._inside.call("logs", "PutLogEvents", **names, logEvents=batch)
        except Refused:
            self._made.discard(place)


def _batches(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Yield what PutLogEvents accepts at once: 10,000 events, and 1 MiB with 26 bytes per event."""
    batch: list[Event] = []
    size = 0
    for event in events:
        weight = len(event["message"].encode()) + 26
        if len(batch) == 10_000 or size + weight > 1_048_576:
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += weight
    yield batch


def of_container(container: Mapping[str, Any], task: str) -> Place | None:
    """Return where the awslogs driver writes: `PREFIX/CONTAINER/TASK-ID`."""
    configuration = container.get("logConfiguration") or {}
    options = configuration.get("options") or {}
    if configuration.get("logDriver") != "awslogs" or "awslogs-group" not in options:
        return None
    prefix = options.get("awslogs-stream-prefix")
    stream = f"{prefix}/{container['name']}/{task}" if prefix else task
    return options["awslogs-group"], stream
