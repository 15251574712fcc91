"""A recording as it was read: what a command saw and said, and how it ended."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from opsctl.aws import FailedCall
from opsctl.cause.history import Failure, History, Note
from opsctl.errors import OpsError
from opsctl.snapshot import record
from opsctl.snapshot.snapshot import Names, Snapshot

NOBODY = Names("", "", {}, "", "", "", "", False, "")
EMPTY = Snapshot(datetime.min.replace(tzinfo=UTC), NOBODY)
# The items, by class name, that causes use.
NOTED = {"Joining", "Overtaken", "Answer"}


@dataclass(frozen=True, slots=True)
class Begun:
    """The command of a recording."""

    command: str
    system: str = ""
    environment: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class RecordedItem:
    kind: str
    fields: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class RecordedSeries:
    """A saved metric over a window. None is a gap."""

    name: str
    unit: str
    start: datetime
    period: int
    points: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording. `outcome` is '' if the command was killed, or still runs."""

    begun: Begun
    at: datetime
    ended: datetime | None = None
    outcome: str = ""
    snapshots: tuple[Snapshot, ...] = ()
    items: tuple[RecordedItem, ...] = ()
    failures: tuple[Failure, ...] = ()
    calls: tuple[FailedCall, ...] = ()
    names: Names = NOBODY
    path: Path | None = None
    series: tuple[RecordedSeries, ...] = ()

    @property
    def history(self) -> History:
        history = replace(
            History.empty(self.names, self.at),
            command=self.begun.command,
            began=self.at,
            outcome=self.outcome,
        )
        for snapshot in self.snapshots:
            history = history.plus(snapshot)
        for item in self.items:
            if item.kind in NOTED:
                history = history.noted(Note(item.kind, item.fields, item.at))
        for failure in self.failures:
            history = history.met(failure)
        return history.failed(self.calls)

    @classmethod
    def read(cls, lines: Iterable[str], *, path: Path | None = None) -> Self:
        """Parse a recording. A line that is cut off ends it. Raises OpsError for any other file."""
        reading = _Reading()
        for line in lines:
            try:
                content = json.loads(line)
            except ValueError:
                break
            if not isinstance(content, dict):
                break
            try:
                reading.take(content)
            except (KeyError, TypeError, ValueError) as error:
                raise OpsError(
                    f"this is not a recording of opsctl: {error!r}"[:200],
                    hint="opsctl why --help",
                ) from error
        if reading.begun is None:
            raise OpsError("this is not a recording of opsctl", hint="opsctl why --help")
        return cls(
            reading.begun,
            reading.at,
            reading.ended,
            reading.outcome,
            tuple(reading.snapshots),
            tuple(reading.items),
            tuple(reading.failures),
            (*reading.calls, *reading.failing.values()),
            reading.names,
            path,
            tuple(reading.series),
        )


class _Reading:
    """Parses lines; parts that did not change are carried from snapshot to snapshot."""

    def __init__(self) -> None:
        self.begun: Begun | None = None
        self.at = EMPTY.at
        self.names = NOBODY
        self.ended: datetime | None = None
        self.outcome = ""
        self.snapshots: list[Snapshot] = []
        self.items: list[RecordedItem] = []
        self.failures: list[Failure] = []
        self.calls: list[FailedCall] = []
        # Written when they began to fail; the look or the end that counts them says it better.
        self.failing: dict[tuple[str, str], FailedCall] = {}
        self.series: list[RecordedSeries] = []
        self._carried: dict[str, Any] = {}

    def take(self, line: dict[str, Any]) -> None:
        kind = line.pop("type", "")
        if kind == "recording":
            self.at = datetime.fromisoformat(line["at"])
            self.names = record.names(line["names"])
            self.begun = Begun(**{one.name: str(line.get(one.name, "")) for one in fields(Begun)})
        elif kind == "snapshot":
            self._snapshot(line)
        elif kind == "item":
            at = datetime.fromisoformat(line["at"])
            self.items.append(RecordedItem(line["kind"], line["fields"], at))
        elif kind == "failure":
            time = line.pop("time", None)
            known = {one.name: str(line.get(one.name, "")) for one in fields(Failure)}
            known.pop("time")
            self.failures.append(
                Failure(**known, time=datetime.fromisoformat(time) if time else None)
            )
        elif kind == "metric":
            start = datetime.fromisoformat(line["start"])
            self.series.append(
                RecordedSeries(
                    line["name"], line["unit"], start, line["period"], tuple(line["points"])
                )
            )
        elif kind == "end":
            self.ended = datetime.fromisoformat(line["at"])
            self.outcome = line["outcome"]
            self.calls += self._counted(map(_call, line.get("failed_calls", ())))
        elif kind == "failing":
            call = _call(line)
            self.failing[call.way] = call

    def _counted(self, calls: Iterable[FailedCall]) -> list[FailedCall]:
        counted = list(calls)
        for call in counted:
            self.failing.pop(call.way, None)
        return counted

    def _snapshot(self, line: dict[str, Any]) -> None:
        changed = set(line.pop("changed"))
        read = record.from_json(line)
        self._counted(read.failed_calls)
        for part in changed:
            self._carried[part] = getattr(read, part)
        kept = {
            part: self._carried[part]
            for part in read.look.parts
            if part not in changed and part in self._carried
        }
        self.snapshots.append(replace(read, **kept))


def _call(content: Mapping[str, Any]) -> FailedCall:
    return FailedCall(**{**content, "at": datetime.fromisoformat(content["at"])})
