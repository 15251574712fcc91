"""Read whether the log groups exist that tasks and instances write to."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from opsctl.snapshot.task_definitions import TaskDefinition
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

    from opsctl.snapshot.stacks import StackState


@dataclass(frozen=True, slots=True)
class LogGroup:
    name: str
    exists: bool


def names(ecs: "StackState | None", definitions: Iterable[TaskDefinition]) -> tuple[str, ...]:
    """Return those of the tasks, and those that the stack made, unless it is at work."""
    of_tasks = [stream.group for one in definitions for stream in one.logs]
    if ecs is None or ecs.in_progress:
        return tuple(of_tasks)
    of_stack = [name for key, name in ecs.outputs.items() if key.endswith("LogGroupName")]
    return (*of_tasks, *of_stack)


def read(logs: "CloudWatchLogsClient", names: Iterable[str]) -> tuple[LogGroup, ...]:
    return tuple(together([partial(_group, logs, name) for name in dict.fromkeys(names)]))


def _group(logs: "CloudWatchLogsClient", name: str) -> LogGroup:
    described = logs.describe_log_groups(logGroupNamePrefix=name, limit=50)["logGroups"]
    return LogGroup(name, any(group.get("logGroupName") == name for group in described))
