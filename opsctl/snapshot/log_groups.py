"""Read whether the log groups exist that tasks and instances write to."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient


@dataclass(frozen=True, slots=True)
class LogGroup:
    name: str
    exists: bool


def read(logs: "CloudWatchLogsClient", names: Iterable[str]) -> tuple[LogGroup, ...]:
    return tuple(together([partial(_group, logs, name) for name in dict.fromkeys(names)]))


def _group(logs: "CloudWatchLogsClient", name: str) -> LogGroup:
    described = logs.describe_log_groups(logGroupNamePrefix=name, limit=50)["logGroups"]
    return LogGroup(name, any(group.get("logGroupName") == name for group in described))
