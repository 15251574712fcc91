"""Read what tasks wrote lately, from the log streams that their task definitions name.

Secrets are masked, because these lines end on screens, in pipelines and in recordings.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from opsctl.snapshot.redact import redact_lines
from opsctl.snapshot.task_definitions import TaskDefinition
from opsctl.snapshot.tasks import Task, by_start
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

LINES = 20
_RECENT = timedelta(minutes=15)
_RECENT_OF = 3  # running tasks, newest first, whose last lines one snapshot reads
_RECENT_LINES = 30
_LONGEST = 2000  # characters of a line
_ERRORS = 40  # events of the service's own error log
# The lines below the message of a crash: the stack trace, and what the language adds to it.
_BELOW = re.compile(
    r"at \S+.*[(:]|\.{3} \d+ more$|from \S+:\d+:in|goroutine \d|created by \S+$|\[signal |"
    r"\S+\.go:\d+|(?:main|runtime)\.\S*\(|panic\(|exit status \d|Node\.js v\d|note: |"
    r"stack backtrace|\d+: \w+::|(?:errno|code|syscall|address|port|hostname): \S+,?$|"
    r"[\s{}\[\]()^~,;]*$"
)
# Terminal colours, which some programs write even without a terminal.
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
            return _lines(event.get("message", "") for event in events)
    return ()


def last_words(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the lines without the stack trace of a crash; all of them if nothing else is left."""
    return tuple(line for line in lines if not _BELOW.match(line)) or tuple(lines)


def recent(
    logs: "CloudWatchLogsClient",
    tasks: Sequence[Task],
    definitions: Sequence[TaskDefinition],
    now: datetime,
) -> dict[str, tuple[str, ...]]:
    """Return what the newest running tasks wrote recently, by task id."""
    by_arn = {one.arn: one for one in definitions}
    running = [task for task in tasks if task.running and task.task_definition in by_arn]
    chosen = by_start(running)[:_RECENT_OF]
    read_last = partial(last, logs, limit=_RECENT_LINES, since=now - _RECENT)
    read = together([partial(read_last, by_arn[one.task_definition], one.id) for one in chosen])
    return {task.id: written for task, written in zip(chosen, read, strict=True) if written}


def errors(logs: "CloudWatchLogsClient", group: str, now: datetime) -> tuple[str, ...]:
    """Return what the service recently logged as errors, at most one page of it."""
    try:
        events = logs.filter_log_events(
            logGroupName=group,
            startTime=int((now - _RECENT).timestamp() * 1000),
            limit=_ERRORS,
        )["events"]
    except logs.exceptions.ResourceNotFoundException:
        return ()
    return _lines(event.get("message", "") for event in events)


def _lines(messages: Iterable[str]) -> tuple[str, ...]:
    # Cut twice: a secret that the first cut splits is far from what the second one keeps.
    plain = (_COLOURS.sub("", _cut(message, 10 * _LONGEST)) for message in messages)
    return tuple(_cut(line.strip(), _LONGEST) for line in redact_lines(plain))


def _cut(line: str, longest: int) -> str:
    """Return the beginning and the end: an exception's message may follow its stack trace."""
    if len(line) <= longest:
        return line
    end = longest // 4
    return f"{line[: longest - end]}…{line[-end:]}"
