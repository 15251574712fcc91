"""The system's log groups: which are meant, which exist, what lies near a wrong name."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from opsctl import aws
from opsctl.config.sources import NAMES, SOURCES
from opsctl.errors import ConfigError
from opsctl.logs.events import LogGroup, Notice, Selection

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

    from opsctl.config.model import Logs


@dataclass(frozen=True, slots=True)
class LogGroupStatus:
    """`stream` is the newest one; CloudWatch may be an hour behind in this."""

    group: LogGroup
    exists: bool
    retention_days: int | None = None
    stored_bytes: int = 0
    stream: str = ""
    newest: datetime | None = None


def chosen(
    section: "Logs", names: Sequence[str], *, task: bool = False, instance: bool = False
) -> list[LogGroup]:
    """The groups of the sources of these names, in a fixed order.

    Without names: all of them, or those that have a stream per task, or per instance.
    """
    for name in names:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            raise ConfigError(
                f"unknown log source `{name}`; choose {', '.join(NAMES)}",
                hint=f"opsctl logs tail {near[0] if near else 'app stdout'}",
            )
    per = "task" if task else "instance" if instance else None
    fitting = [source.name for source in SOURCES if per in (None, source.per)]
    return [LogGroup(name, section.group(name)) for name in NAMES if name in (names or fitting)]


def status(logs: "CloudWatchLogsClient", group: LogGroup) -> LogGroupStatus:
    answer = logs.describe_log_groups(logGroupNamePrefix=group.name)
    described = next(
        (one for one in answer["logGroups"] if one["logGroupName"] == group.name), None
    )
    if described is None:
        return LogGroupStatus(group, False)
    streams = newest_streams(logs, group.name, 1)
    stream, newest = streams[0] if streams else ("", None)
    return LogGroupStatus(
        group,
        True,
        described.get("retentionInDays"),
        described.get("storedBytes", 0),
        stream,
        newest,
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


def explain(
    logs: "CloudWatchLogsClient", notice: Notice, groups: Sequence[LogGroup], selection: Selection
) -> list[str]:
    """What there is instead of a missing group or stream."""
    if notice.kind == "missing":
        name = next(group.name for group in groups if group.source == notice.source)
        near = _near(logs, name)
        return [f"  log groups that exist: {', '.join(near)}" if near else "  no log group exists"]
    if notice.kind != "caught-up" or not selection.narrow:
        return []
    newest = {
        group.source: [name for name, _ in newest_streams(logs, group.name, 3)] for group in groups
    }
    return [
        f"no event of such a stream in {source}; newest: {', '.join(streams) or 'no stream at all'}"
        for source, streams in newest.items()
    ]


def _near(logs: "CloudWatchLogsClient", group: str) -> list[str]:
    """Groups that exist and look like this one; any few when none does."""
    names = [one["logGroupName"] for one in logs.describe_log_groups(limit=50)["logGroups"]]
    return difflib.get_close_matches(group, names, n=3, cutoff=0.5) or names[:5]
