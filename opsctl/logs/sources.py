"""The four log groups of the system: which are meant, which exist, what lies near a wrong name."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from opsctl import aws
from opsctl.errors import ConfigError
from opsctl.logs.events import ORDER, LogSource

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

    from opsctl.config.model import Logs

ABOUT = {
    "app": "errors of the filter chain, a stream per task",
    "stdout": "container output, a stream per task",
    "ecs": "ECS on the host, a stream per instance",
    "agent": "the ECS agent, a stream per instance",
}


@dataclass(frozen=True, slots=True)
class SourceStatus:
    source: LogSource
    exists: bool
    retention_days: int | None = None
    stored_bytes: int = 0
    stream: str = ""  # the newest; CloudWatch may be an hour behind in this
    newest: datetime | None = None


def chosen(section: "Logs", names: Sequence[str]) -> list[LogSource]:
    """The sources of these names, all of them by default, in a fixed order."""
    for name in names:
        if name not in ORDER:
            near = difflib.get_close_matches(name, ORDER, n=1)
            raise ConfigError(
                f"there is no log source `{name}`; there are {', '.join(ORDER)}",
                hint=f"opsctl logs tail {near[0] if near else 'app stdout'}",
            )
    return [LogSource(name, getattr(section, name)) for name in ORDER if name in (names or ORDER)]


def status(logs: "CloudWatchLogsClient", source: LogSource) -> SourceStatus:
    answer = logs.describe_log_groups(logGroupNamePrefix=source.group)
    group = next((g for g in answer["logGroups"] if g["logGroupName"] == source.group), None)
    if group is None:
        return SourceStatus(source, False)
    streams = newest_streams(logs, source.group, 1)
    stream, newest = streams[0] if streams else ("", None)
    return SourceStatus(
        source, True, group.get("retentionInDays"), group.get("storedBytes", 0), stream, newest
    )


def newest_streams(
    logs: "CloudWatchLogsClient", group: str, count: int
) -> list[tuple[str, datetime | None]]:
    """Streams with the time of their last event, newest first; none when there is no group."""
    try:
        answer = logs.describe_log_streams(
            logGroupName=group, orderBy="LastEventTime", descending=True, limit=min(50, count)
        )
    except Exception as error:
        if aws.code(error) == "ResourceNotFoundException":
            return []
        raise
    return [
        (
            stream["logStreamName"],
            # Absent on an empty stream.
            datetime.fromtimestamp(stream["lastEventTimestamp"] / 1000, UTC)
            if "lastEventTimestamp" in stream
            else None,
        )
        for stream in answer["logStreams"]
    ]


def near(logs: "CloudWatchLogsClient", group: str) -> list[str]:
    """Groups that exist and look like this one; any few when none does."""
    names = [found["logGroupName"] for found in logs.describe_log_groups(limit=50)["logGroups"]]
    return difflib.get_close_matches(group, names, n=3, cutoff=0.5) or names[:5]
