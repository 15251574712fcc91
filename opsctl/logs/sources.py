"""Find log groups: those that are meant, those that exist, those with similar names."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.config.sources import NAMES, SOURCES
from opsctl.errors import ConfigError
from opsctl.logs.choice import expression
from opsctl.logs.events import LogGroup, Notice, Selection, literal_prefix

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

    from opsctl.config.model import Logs


# Each sweep of a group is a call, and the Region's quota is 5 to 25 a second.
_MOST_GROUPS = 50


@dataclass(frozen=True, slots=True)
class LogGroupStatus:
    """`stream` is the newest one; CloudWatch may be an hour late with it."""

    group: LogGroup
    exists: bool
    retention_days: int | None = None
    stored_bytes: int = 0
    stream: str = ""
    newest: datetime | None = None


def chosen(
    section: "Logs", names: Sequence[str], *, task: bool = False, instance: bool = False
) -> list[LogGroup]:
    """Return the log groups of these sources, in a fixed order.

    Without names: all of them, or those with a stream per task or per instance.
    """
    per = "task" if task else "instance" if instance else None
    fitting = [source.name for source in SOURCES if per in (None, source.per)]
    return [LogGroup(name, section.group(name)) for name in NAMES if name in (names or fitting)]


def matching(logs: "CloudWatchLogsClient", patterns: Sequence[str]) -> list[LogGroup]:
    """Return the groups that match: `*` is any text, `?` any character, /…/ a regex.

    Raises ConfigError when there are none, or more than one reading supports.
    """
    names: dict[str, None] = {}
    for pattern in patterns:
        regex, prefix = _group_pattern(pattern)
        with aws.understood("log groups"):
            names.update(dict.fromkeys(filter(regex.search, _groups(logs, prefix))))
    if not names:
        near = _near(logs, patterns[0].strip("/*?^$"))
        raise ConfigError(
            f"no log group matches {', '.join(patterns)}",
            hint=f"log groups that exist: {', '.join(near)}" if near else "opsctl ecs up",
        )
    if len(names) > _MOST_GROUPS:
        raise ConfigError(
            f"{len(names)} log groups match {', '.join(patterns)}; one reading holds {_MOST_GROUPS}"
        )
    return [LogGroup(label, name) for name, label in _labels(names).items()]


def _group_pattern(pattern: str) -> tuple[re.Pattern[str], str]:
    """Return a regex for whole names, and the prefix that all of them share."""
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        return expression(pattern[1:-1]), literal_prefix(pattern[1:-1])
    prefix = re.split(r"[*?]", pattern, maxsplit=1)[0]
    parts = (
        ".*" if part == "*" else "." if part == "?" else re.escape(part)
        for part in re.split(r"([*?])", pattern)
    )
    return re.compile(f"^{''.join(parts)}$"), prefix


def _groups(logs: "CloudWatchLogsClient", prefix: str) -> Iterator[str]:
    request: Any = {"logGroupNamePrefix": prefix} if prefix else {}
    for page in logs.get_paginator("describe_log_groups").paginate(**request):
        yield from (group["logGroupName"] for group in page["logGroups"])


def _labels(names: Iterable[str]) -> dict[str, str]:
    """Return a label for each name: as many of its last parts as it takes to distinguish them."""
    pieces = {name: name.strip("/").split("/") for name in names}
    for count in range(1, max(map(len, pieces.values())) + 1):
        labels = {name: "/".join(parts[-count:]) for name, parts in pieces.items()}
        if len(set(labels.values())) == len(labels):
            return labels
    return {name: name for name in pieces}


def status(logs: "CloudWatchLogsClient", group: LogGroup) -> LogGroupStatus:
    answer = logs.describe_log_groups(logGroupNamePrefix=group.name)
    with aws.understood("log groups"):
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


def arns(logs: "CloudWatchLogsClient", groups: Sequence[LogGroup]) -> dict[str, str]:
    """Return name -> ARN of each existing group, without `:*`, as Live Tail expects."""
    by_name: dict[str, str] = {}
    for group in groups:
        for one in logs.describe_log_groups(logGroupNamePrefix=group.name)["logGroups"]:
            if one["logGroupName"] == group.name:
                arn = one.get("logGroupArn") or one.get("arn", "")
                by_name[group.name] = arn.removesuffix(":*")
    return by_name


def newest_streams(
    logs: "CloudWatchLogsClient", group: str, count: int
) -> list[tuple[str, datetime | None]]:
    """Return (stream, time of its last event), newest first; none when the group does not exist."""
    try:
        answer = logs.describe_log_streams(
            logGroupName=group, orderBy="LastEventTime", descending=True, limit=min(50, count)
        )
    except Exception as error:
        if aws.code(error) == "ResourceNotFoundException":
            return []
        raise
    with aws.understood("log streams"):
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
    """Return lines that name what exists instead of a missing group or stream.

    Returns none where AWS does not say: the log lines themselves may well be readable.
    """
    try:
        return _instead(logs, notice, groups, selection)
    except Exception as error:
        if aws.fault(error) is None:
            raise
        return []


def _instead(
    logs: "CloudWatchLogsClient", notice: Notice, groups: Sequence[LogGroup], selection: Selection
) -> list[str]:
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
    """Return existing groups with similar names, or a few others if none is similar."""
    answer = logs.describe_log_groups(limit=50)
    with aws.understood("log groups"):
        names = [one["logGroupName"] for one in answer["logGroups"]]
    return difflib.get_close_matches(group, names, n=3, cutoff=0.5) or names[:5]
