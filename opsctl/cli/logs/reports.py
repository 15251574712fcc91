"""`opsctl logs audit`, `lag`, `compare`: reports about a span of the log groups."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer
from typer import Option

from opsctl.cli import moments, options
from opsctl.cli.logs import choosing
from opsctl.cli.options import Invocation
from opsctl.cli.screens import log_reports
from opsctl.config.duration import format_duration
from opsctl.config.sources import SOURCES
from opsctl.errors import AwsError, ConfigError
from opsctl.logs import audit as auditing
from opsctl.logs import lag as lagging
from opsctl.logs import shapes, sources
from opsctl.logs.collected import collected
from opsctl.logs.events import LogEvent, LogGroup, Notice
from opsctl.metrics.fetch import fetch
from opsctl.metrics.series import Window
from opsctl.outcome import DEGRADED
from opsctl.snapshot.snapshot import Look

_LATE = timedelta(hours=1)  # how much older than its arrival a line may be, at first
_LATEST = timedelta(hours=24)  # and again, when lines are missing
_AHEAD = timedelta(hours=2)  # how far in the future PutLogEvents accepts lines
Names = Annotated[list[str] | None, typer.Argument(metavar="SOURCE", help="Default: all.")]


def audit(context: typer.Context, names: Names = None, since: options.Since = "1h") -> None:
    """Compare what can be read with CloudWatch's own count: exit 0 equal, 10 lines are missing.

    A minute counts once its metric is final, four minutes later. Missing lines are searched again,
    a day back, before they are called missing.
    """
    invocation = options.opened(context)
    groups = _groups(invocation, names)
    now = choosing.now()
    start = _minute(moments.moment(since, now=now, zone=choosing.zone(False)))
    end = _minute(now - auditing.SETTLED)
    if start >= end:
        raise ConfigError("`--since` is too short: the newest four minutes are not settled yet")
    metrics = _counted(invocation, groups, Window(start, end, 60))
    audits: dict[str, auditing.Audit] = {}
    left = groups
    for late in (_LATE, _LATEST):
        if not left:
            break
        read = _read(invocation, left, start - late, end + _AHEAD)
        counts = auditing.by_minute(read, start, end)
        for group in left:
            one = auditing.compare(group.source, counts, metrics[group.source], start, end)
            audits[group.source] = one
        left = [group for group in left if audits[group.source].missing]
    results = [audits[group.source] for group in groups]
    if not log_reports.show_audits(invocation.console, results, start, end):
        raise typer.Exit(DEGRADED)


def _counted(
    invocation: Invocation, groups: Sequence[LogGroup], over: Window
) -> dict[str, dict[int, float]]:
    """Return source -> minute in milliseconds -> the lines that CloudWatch counted."""
    queries = auditing.queries({group.source: group.name for group in groups})
    series = fetch(invocation.clients.cloudwatch, queries, over)
    if failed := [one for one in series if one.status != "Complete"]:
        raise AwsError(
            "CloudWatch did not return its own count of "
            f"{', '.join(one.query.about for one in failed)}: {failed[0].status}",
            hint="run the same command again",
            operation="GetMetricData",
        )
    return {
        one.query.about: {
            int(over.time(index).timestamp() * 1000): value
            for index, value in enumerate(one.points)
            if value is not None
        }
        for one in series
    }


def lag(context: typer.Context, names: Names = None, since: options.Since = "15m") -> None:
    """Show how late each stream's lines arrive, and which tasks and instances are silent."""
    invocation = options.opened(context)
    groups = _groups(invocation, names)
    now = choosing.now()
    start = moments.moment(since, now=now, zone=choosing.zone(False))
    lags = lagging.lags(_read(invocation, groups, start, now))
    seen = invocation.quick_reader(Look(frozenset({"tasks", "instances"}), ()))
    running = {
        "task": [task.id for task in seen.running],
        "instance": [one.id for one in seen.instances if one.connected],
    }
    per = {source.name: source.per for source in SOURCES}
    silent = {
        group.source: lagging.silent(lags, group.source, running[per[group.source]])
        for group in groups
        # The service writes there only when something is wrong.
        if group.source != "app"
    }
    log_reports.show_lags(invocation.console, lags, silent, now)


def compare(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="RELEASE", help="0: the newest.")] = 0,
    names: Annotated[
        list[str] | None, Option("--source", metavar="SOURCE", help="Default: app and stdout.")
    ] = None,
    span: Annotated[
        str, Option("--for", metavar="DURATION", help="How long before and after it.")
    ] = "30m",
) -> None:
    """List the kinds of lines that are new, gone, louder or quieter since a release.

    Numbers and ids are masked: lines that differ only in them are of one kind.
    """
    invocation = options.opened(context)
    groups = _groups(invocation, names or ["app", "stdout"])
    length = moments.duration(span, "--for")
    release = choosing.release(invocation, number)
    now = choosing.now()
    turned, end = release.begun, min(now, release.begun + length)
    before, after = shapes.Shapes(), shapes.Shapes()
    # Both ends of a reading are inclusive.
    before.take(_read(invocation, groups, turned - length, turned - timedelta(milliseconds=1)))
    after.take(_read(invocation, groups, turned, end))
    changes = shapes.compare(before, after, scale=(end - turned) / length)
    about = (
        f"release {release.number} began {turned:%Y-%m-%d %H:%M:%SZ}; "
        f"{format_duration(length)} before against {format_duration(end - turned)} after"
    )
    log_reports.show_changes(invocation.console, changes, about)


def _groups(invocation: Invocation, names: Sequence[str] | None) -> list[LogGroup]:
    choosing.require_sources(names or ())
    return sources.chosen(invocation.config.logs, names or ())


def _read(
    invocation: Invocation, groups: Sequence[LogGroup], start: datetime, end: datetime
) -> Iterator[Sequence[LogEvent]]:
    def tell(notice: Notice) -> None:
        where = f"{notice.source}: " if notice.source else ""
        invocation.console.say(where + notice.text)

    return collected(
        invocation.clients.logs_once,
        groups,
        start,
        end,
        now=invocation.clock,
        sleep=invocation.sleep,
        tell=tell,
    )


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
