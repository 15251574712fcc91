"""Read what tasks wrote lately, from the log streams that their task definitions name.

Secrets are masked, because these lines end on screens, in pipelines and in recordings.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opsctl.snapshot.redact import redact
from opsctl.snapshot.task_definitions import TaskDefinition

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from mypy_boto3_logs.client import CloudWatchLogsClient

LINES = 5
_ERRORS = 40  # events of the service's own error log
# Terminal colours, which some programs write even without a terminal.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def last(
    logs: "CloudWatchLogsClient",
    definition: TaskDefinition,
    task: str,
    *,
    first: Sequence[str] = (),
    since: "datetime | None" = None,
    limit: int = LINES,
) -> tuple[str, ...]:
    """Return the last lines, at most `limit`, oldest first; none when nothing has arrived yet.

    All lines are from one container: one of those named in `first` if it wrote anything, else any
    other.
    """
    for stream in sorted(definition.logs, key=lambda one: one.container not in first):
        try:
            events = logs.get_log_events(
                logGroupName=stream.group,
                logStreamName=stream.name(task),
                startFromHead=False,
                limit=limit,
                **({"startTime": int(since.timestamp() * 1000)} if since else {}),  # type: ignore[arg-type]  # one optional key
            )["events"]
        except logs.exceptions.ResourceNotFoundException:
            continue
        if events:
            return tuple(_line(event.get("message", "")) for event in events)
    return ()


def errors(
    logs: "CloudWatchLogsClient", group: str, now: "datetime", over: "timedelta"
) -> tuple[str, ...]:
    """Return what the service logged as errors in this period, as far as one page holds it."""
    try:
        events = logs.filter_log_events(
            logGroupName=group,
            startTime=int((now - over).timestamp() * 1000),
            limit=_ERRORS,
        )["events"]
    except logs.exceptions.ResourceNotFoundException:
        return ()
    return tuple(_line(event.get("message", "")) for event in events)


def _line(message: str) -> str:
    return redact(_COLOURS.sub("", message)).strip()
