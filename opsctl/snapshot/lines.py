"""The last lines that a task wrote, from the log streams that its task definition names."""

from typing import TYPE_CHECKING

from opsctl.snapshot.task_definitions import TaskDefinition

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

LINES = 5


def last(
    logs: "CloudWatchLogsClient", definition: TaskDefinition, task: str, *, limit: int = LINES
) -> tuple[str, ...]:
    """Up to `limit` lines, oldest first; none when the task wrote nothing that is there yet."""
    for stream in definition.logs:
        try:
            events = logs.get_log_events(
                logGroupName=stream.group,
                logStreamName=stream.name(task),
                startFromHead=False,
                limit=limit,
            )["events"]
        except logs.exceptions.ResourceNotFoundException:
            continue
        if events:
            return tuple(event.get("message", "").strip() for event in events)
    return ()
