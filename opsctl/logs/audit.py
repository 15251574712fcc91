"""Check that no line is missing: compare what was read with CloudWatch's own count. Pure.

Both are counted by the minute in which CloudWatch ingested a line, whatever the line's own time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from opsctl.logs.events import LogEvent
from opsctl.metrics.catalogue import Metric, Query

MINUTE = 60_000
SETTLED = timedelta(minutes=4)  # how long after a minute its metric may still change
Minute: TypeAlias = tuple[str, int]  # a source, and milliseconds since 1970
_METRIC = Metric(
    "logs", "AWS/Logs", "IncomingLogEvents", "Sum", ("LogGroupName",), "count", "lines coming in"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One minute of one source.

    `read` may be greater than `counted`, because the metric comes late.
    """

    source: str
    minute: datetime
    read: int
    counted: int

    @property
    def missing(self) -> int:
        return max(0, self.counted - self.read)


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of one source: totals, and the minutes that differ."""

    source: str
    minutes: int
    read: int
    counted: int
    differences: tuple[Difference, ...]

    @property
    def missing(self) -> int:
        return sum(one.missing for one in self.differences)


def queries(groups: Mapping[str, str]) -> list[Query]:
    return [Query(_METRIC, {"LogGroupName": group}, source) for source, group in groups.items()]


def by_minute(
    events: Iterable[Sequence[LogEvent]], start: datetime, end: datetime
) -> Counter[Minute]:
    """Return how many events of each source CloudWatch ingested in each minute of the span."""
    first, last = (int(moment.timestamp() * 1000) for moment in (start, end))
    counts = Counter[Minute]()
    for batch in events:
        counts.update(
            (event.source, event.ingested - event.ingested % MINUTE)
            for event in batch
            if first <= event.ingested < last
        )
    return counts


def compare(
    source: str,
    read: Mapping[Minute, int],
    metric: Mapping[int, float],
    start: datetime,
    end: datetime,
) -> Audit:
    """Compare one source.

    `metric` maps minutes (in milliseconds) to counts; missing minutes are 0.
    """
    minutes = list(_minutes(start, end))
    mine = {minute: read.get((source, minute), 0) for minute in minutes}
    theirs = {minute: int(metric.get(minute, 0)) for minute in minutes}
    differences = tuple(
        Difference(source, datetime.fromtimestamp(minute / 1000, UTC), mine[minute], theirs[minute])
        for minute in minutes
        if mine[minute] != theirs[minute]
    )
    return Audit(source, len(minutes), sum(mine.values()), sum(theirs.values()), differences)


def _minutes(start: datetime, end: datetime) -> Iterator[int]:
    first, last = (int(moment.timestamp() * 1000) for moment in (start, end))
    return iter(range(first, last, MINUTE))
