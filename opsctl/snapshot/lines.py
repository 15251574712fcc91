"""The last line that a task wrote before it ended, from the log group of its task definition."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.snapshot.service import Task

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_logs.client import CloudWatchLogsClient

# The log driver sends what it has every few seconds.
_ATTEMPTS = 3


def last(
    ecs: "ECSClient", logs: "CloudWatchLogsClient", task: Task, *, sleep: Callable[[float], None]
) -> str:
    """Empty when it wrote nothing, nowhere, or cannot be read: the roll is told without it."""
    return aws.optional(lambda: _last(ecs, logs, task, sleep), "")


def _last(
    ecs: "ECSClient", logs: "CloudWatchLogsClient", task: Task, sleep: Callable[[float], None]
) -> str:
    found = ecs.describe_task_definition(taskDefinition=task.task_definition)["taskDefinition"]
    places = [stream(each, task.id) for each in found["containerDefinitions"]]
    for attempt in range(_ATTEMPTS):
        if attempt:
            sleep(1.0)
        for group, name in filter(None, places):
            try:
                events = logs.get_log_events(
                    logGroupName=group, logStreamName=name, startFromHead=False, limit=1
                )["events"]
            except logs.exceptions.ResourceNotFoundException:
                continue
            if events:
                return events[-1]["message"].strip()
    return ""


def stream(container: Mapping[str, Any], task: str) -> tuple[str, str] | None:
    """The group and stream of the awslogs driver: `PREFIX/CONTAINER/TASK`."""
    configuration = container.get("logConfiguration", {})
    options = configuration.get("options", {})
    group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
    if configuration.get("logDriver") != "awslogs" or not group or not prefix:
        return None
    return group, f"{prefix}/{container['name']}/{task}"
