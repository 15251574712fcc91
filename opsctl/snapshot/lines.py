"""What tasks wrote lately, from the log streams that their task definition names, without what
looks like a secret: it ends on screens, in pipelines and in recordings.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opsctl.snapshot.redact import redact
from opsctl.snapshot.task_definitions import TaskDefinition

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from mypy_boto3_logs.client import CloudWatchLogsClient

LINES = 20
_ERRORS = 40  # events of the service's own error log
# What stands below the words with which a program crashes: its stack, and what its language adds.
_BELOW = re.compile(
    r"at \S+.*[(:]|\.{3} \d+ more$|from \S+:\d+:in|goroutine \d|created by \S+$|\[signal |"
    r"\S+\.go:\d+|(?:main|runtime)\.\S*\(|panic\(|exit status \d|Node\.js v\d|note: |"
    r"stack backtrace|\d+: \w+::|(?:errno|code|syscall|address|port|hostname): \S+,?$|"
    r"[\s{}\[\]()^~,;]*$"
)
# A terminal's colours, which programs write although nobody sees them.
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


def last_words(lines: "Sequence[str]") -> tuple[str, ...]:
    """Without what stands below a crash; all of them where nothing else is left."""
    return tuple(line for line in lines if not _BELOW.match(line)) or tuple(lines)


def errors(
    logs: "CloudWatchLogsClient", group: str, now: "datetime", over: "timedelta"
) -> tuple[str, ...]:
    """What the service logged in this time, as far as one page holds it."""
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
