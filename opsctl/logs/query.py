"""Run a query of CloudWatch Logs Insights: start it, wait, and stop it when nobody waits."""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from opsctl import aws
from opsctl.errors import AwsError, ConfigError

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

    from opsctl.aws import Clients

# name -> (sources, query)
PRESETS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "errors": (
        ("app", "stdout"),
        "fields @timestamp, @log, @logStream, @message"
        " | filter @message like /(?i)error|exception|traceback|panic|fatal/"
        " | sort @timestamp desc",
    ),
    "slow": (
        ("app",),
        "fields duration_ms, status, method, path, @timestamp, @logStream"
        " | filter duration_ms > 0 | sort duration_ms desc",
    ),
    "loudest": (
        ("app", "stdout", "ecs", "agent"),
        "stats count(*) as lines by @log, @logStream | sort lines desc",
    ),
    "restarts": (
        ("stdout",),
        "stats min(@timestamp) as first, max(@timestamp) as last, count(*) as lines by @logStream"
        " | sort first desc",
    ),
}
MOST_ROWS, MOST_GROUPS = 10_000, 50
PER_GB = 0.005  # US dollars per gigabyte read, in most Regions
_RUNNING = ("Scheduled", "Running", "Unknown")
_QUICKEST, _SLOWEST = 0.3, 2.0  # seconds between two polls


@dataclass(frozen=True, slots=True)
class Progress:
    """`matched` lines so far, of `scanned` lines with `size` bytes."""

    status: str
    matched: int
    scanned: int
    size: int

    @property
    def price(self) -> float:
        return self.size / 1e9 * PER_GB


@dataclass(frozen=True, slots=True)
class Rows:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    progress: Progress


def query(
    clients: "Clients",
    groups: Sequence[str],
    text: str,
    start: datetime,
    end: datetime,
    *,
    limit: int,
    sleep: Callable[[float], None],
) -> Generator[Progress, None, Rows]:
    """Yield the progress and return the rows.

    Raises AwsError when the query fails, ConfigError when its text is invalid.
    """
    if len(groups) > MOST_GROUPS:
        raise ConfigError(f"a query reads at most {MOST_GROUPS} log groups, not {len(groups)}")
    logs = clients.logs
    id = _started(
        logs,
        logGroupNames=list(groups),
        startTime=int(start.timestamp()),
        # Up: an end before the creation of a group, also by parts of a second, is refused.
        endTime=math.ceil(end.timestamp()),
        queryString=text,
        limit=limit,
    )
    pause, over = _QUICKEST, False
    try:
        while True:
            answer = logs.get_query_results(queryId=id)
            with aws.understood("query"):
                progress = _progress(answer)
            over = progress.status not in _RUNNING
            yield progress
            if over:
                break
            sleep(pause)
            pause = min(_SLOWEST, pause * 1.5)
    finally:
        if not over:
            # One that has ended meanwhile cannot be stopped.
            aws.tidy(clients, lambda: logs.stop_query(queryId=id))
    _require_complete(progress)
    with aws.understood("query"):
        return _rows(cast("Sequence[Any]", answer["results"]), progress)


def _started(logs: "CloudWatchLogsClient", **request: Any) -> str:
    try:
        return logs.start_query(**request)["queryId"]
    except logs.exceptions.MalformedQueryException as error:
        reason = aws.message(error)
        # That the time lies before the groups has the same code as a wrong query.
        hint = "give a later --until, or other sources" if "date and time" in reason else None
        raise ConfigError(f"CloudWatch does not take this query: {reason}", hint=hint) from error


def _require_complete(progress: Progress) -> None:
    if progress.status != "Complete":
        raise AwsError(
            f"the query ended as {progress.status}",
            hint="ask for less: a later --since, or fewer sources",
            operation="GetQueryResults",
        )


def _progress(answer: Mapping[str, Any]) -> Progress:
    counts = answer.get("statistics", {})
    matched, scanned, size = (
        int(counts.get(name, 0)) for name in ("recordsMatched", "recordsScanned", "bytesScanned")
    )
    return Progress(answer["status"], matched, scanned, size)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _rows(results: Sequence[Sequence[Mapping[str, str]]], progress: Progress) -> Rows:
    """Return a table. A row may lack a field that others have; `@ptr` is an internal pointer."""
    rows = [{one["field"]: _text(one.get("value")) for one in result} for result in results]
    columns = tuple(dict.fromkeys(name for row in rows for name in row if name != "@ptr"))
    return Rows(
        columns, tuple(tuple(row.get(name, "") for name in columns) for row in rows), progress
    )
