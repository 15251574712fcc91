"""What tasks wrote lately, from the log streams that their task definition names, without what
looks like a secret: it ends on screens, in pipelines and in recordings.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from opsctl.snapshot.redact import redact
from opsctl.snapshot.task_definitions import TaskDefinition
from opsctl.snapshot.tasks import Task, by_start
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

LINES = 5
_RECENT = timedelta(minutes=15)
_RECENT_OF = 3  # the running tasks, newest first
_RECENT_LINES = 30
_ERRORS = 40  # events of the service's own error log
# A terminal's colours, which programs write although nobody sees them.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def last(
    logs: "CloudWatchLogsClient",
    definition: TaskDefinition,
    task: str,
    *,
    first: Sequence[str] = (),
    since: datetime | None = None,
    limit: int = LINES,
) -> tuple[str, ...]:
    """Up to `limit` lines, oldest first; none when the task wrote nothing that is there yet.

    They are of one container: of those named in `first` if one wrote, else of any other.
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


def recent(
    logs: "CloudWatchLogsClient",
    tasks: Sequence[Task],
    definitions: Sequence[TaskDefinition],
    now: datetime,
) -> dict[str, tuple[str, ...]]:
    """What the newest running tasks wrote lately, by their ids."""
    by_arn = {one.arn: one for one in definitions}
    running = [task for task in tasks if task.running and task.task_definition in by_arn]
    chosen = by_start(running)[:_RECENT_OF]
    read_last = partial(last, logs, limit=_RECENT_LINES, since=now - _RECENT)
    read = together([partial(read_last, by_arn[one.task_definition], one.id) for one in chosen])
    return {task.id: written for task, written in zip(chosen, read, strict=True) if written}


def errors(logs: "CloudWatchLogsClient", group: str, now: datetime) -> tuple[str, ...]:
    """What the service logged lately, as far as one page holds it."""
    try:
        events = logs.filter_log_events(
            logGroupName=group,
            startTime=int((now - _RECENT).timestamp() * 1000),
            limit=_ERRORS,
        )["events"]
    except logs.exceptions.ResourceNotFoundException:
        return ()
    return tuple(_line(event.get("message", "")) for event in events)


def _line(message: str) -> str:
    return redact(_COLOURS.sub("", message)).strip()
