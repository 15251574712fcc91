"""Is every line there? What was read, against what CloudWatch counted as it took them in. Pure.

Both are counted by the minute in which CloudWatch took a line in, whatever time the line has.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from opsctl.logs.events import LogEvent
from opsctl.metrics.catalogue import Metric, Query

MINUTE = 60_000
SETTLED = timedelta(minutes=4)  # so long after a minute its metric may still change
Minute: TypeAlias = tuple[str, int]  # a source, and milliseconds
_METRIC = Metric(
    "logs", "AWS/Logs", "IncomingLogEvents", "Sum", ("LogGroupName",), "count", "lines coming in"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """In one minute of one source. `read` may be more: a metric comes late, and never twice."""

    source: str
    minute: datetime
    read: int
    counted: int

    @property
    def missing(self) -> int:
        return max(0, self.counted - self.read)


@dataclass(frozen=True, slots=True)
class Audit:
    """Of one source: all its minutes, and those that differ."""

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


def counted(
    events: Iterable[Sequence[LogEvent]], start: datetime, end: datetime
) -> Counter[Minute]:
    """How many events of each source CloudWatch took in, in each minute of the span."""
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
    """`metric` is the count of each minute, in milliseconds; a minute without a count has none."""
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
