"""Measure how late each stream's lines arrive, and which streams are silent. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from opsctl.logs.events import LogEvent
from opsctl.logs.identity import short_id

_KEPT = 2000  # newest lags of a stream that are remembered


@dataclass(frozen=True, slots=True)
class Lag:
    """The lags of one stream, in milliseconds. `newest` is the time of its last line."""

    source: str
    stream: str
    lines: int
    p50: int
    p99: int
    longest: int
    newest: datetime

    @property
    def id(self) -> str:
        return short_id(self.stream)


def lags(events: Iterable[Sequence[LogEvent]]) -> list[Lag]:
    """Return one Lag for each stream, the latest streams first."""
    known: dict[tuple[str, str], _Stream] = {}
    for batch in events:
        for event in batch:
            known.setdefault((event.source, event.stream), _Stream()).add(event)
    measured = [stream.lag(*key) for key, stream in known.items()]
    return sorted(measured, key=lambda lag: (-lag.p99, lag.source, lag.stream))


def silent(lags: Sequence[Lag], source: str, ids: Iterable[str]) -> list[str]:
    """Return those of these tasks or instances that have no line in `source`."""
    spoke = {lag.id for lag in lags if lag.source == source}
    return [id for id in ids if short_id(id) not in spoke]


class _Stream:
    def __init__(self) -> None:
        self.lines = self.longest = self.newest = 0
        self._lags: list[int] = []

    def add(self, event: LogEvent) -> None:
        lag = max(0, event.lag)
        self._lags.append(lag)
        if len(self._lags) > 2 * _KEPT:
            del self._lags[:_KEPT]
        self.lines += 1
        self.longest = max(self.longest, lag)
        self.newest = max(self.newest, event.timestamp)

    def lag(self, source: str, stream: str) -> Lag:
        ordered = sorted(self._lags)
        p50, p99 = (
            ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.99)
        )
        newest = datetime.fromtimestamp(self.newest / 1000, UTC)
        return Lag(source, stream, self.lines, p50, p99, self.longest, newest)
