"""Read a span of the log groups once, to its end, for reports."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from opsctl.logs.budget import Budget
from opsctl.logs.events import LogEvent, LogGroup, Notice, Selection
from opsctl.logs.pace import Pace
from opsctl.logs.tail import Reading, Tail

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient


def collected(
    logs: "CloudWatchLogsClient",
    groups: Sequence[LogGroup],
    since: datetime,
    until: datetime,
    *,
    selection: Selection | None = None,
    pace: Pace | None = None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    tell: Callable[[Notice], None] = lambda notice: None,
) -> Iterator[Sequence[LogEvent]]:
    """Yield all events whose time is in the span, in order. `logs` must not retry calls itself."""
    region = logs.meta.region_name
    reading = Reading(
        groups,
        since=since,
        until=until,
        follow=False,
        selections={group.source: selection for group in groups} if selection else {},
    )
    own = Pace(Budget.of(region, None, following=False), now=now, sleep=sleep)
    for item in Tail(logs, reading, pace=pace or own).run():
        if not isinstance(item, Notice):
            yield item
        elif item.kind != "caught-up":
            tell(item)
