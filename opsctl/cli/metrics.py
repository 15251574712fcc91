"""`opsctl metrics`: the curated metrics with sparklines, all of them in one call."""

import csv
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from opsctl import aws
from opsctl.cli import moments, options
from opsctl.cli.screens import metrics as screen
from opsctl.config.duration import format_duration, parse_duration
from opsctl.errors import ConfigError
from opsctl.metrics import catalogue
from opsctl.metrics.catalogue import Targets
from opsctl.metrics.fetch import fetch
from opsctl.metrics.series import Series, window
from opsctl.metrics.targets import find

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
_WIDTH = 30


@app.command()
def metrics(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[GROUP]...", help="cluster, service, lb, cache, logs, asg, all."),
    ] = None,
    since: options.Since = "3h",
    period: Annotated[str, Option(help="auto, or for instance 1m, 5m.")] = "auto",
    as_csv: Annotated[bool, Option("--csv", help="One line a point.")] = False,
    watch: Annotated[bool, Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    every: Annotated[str, Option(help="How often with --watch.")] = "30s",
) -> None:
    """Show the metrics of the cluster, service, load balancer, cache, logs and instances.

    A gap (·) is a gap, not zero. Sums are by the minute. `~` marks a value younger than two
    minutes: late samples may still change it.
    """
    invocation = options.opened(context)
    groups = catalogue.chosen(names or [])
    config, clients = invocation.config, invocation.clients
    targets = find(
        clients.cloudformation,
        clients.ec2,
        system=config.system,
        ecs=config.ecs,
        db=config.db,
        logs=config.logs,
        network=config.network,
    )
    queries = list(catalogue.queries(groups, targets))
    if "asg" in groups or "lb" in groups:
        _say_what_is_missing(invocation, targets)
    asked, pause = None if period == "auto" else _seconds(period), _seconds(every)
    while True:
        now = datetime.now(UTC)
        over = window(moments.moment(since, now=now, zone=UTC), now, asked)
        found = fetch(clients.cloudwatch, queries, over)
        if watch and sys.stdout.isatty() and not invocation.console.plain:
            sys.stdout.write("\x1b[H\x1b[2J")
        if invocation.console.json:
            _emit(invocation, found)
        elif as_csv:
            _csv(found)
        else:
            tasks = _tasks(clients.ecs, targets) if "service" in groups else ""
            _table(invocation, groups, found, now, tasks)
        if not watch:
            return
        time.sleep(pause)


def _say_what_is_missing(invocation: options.Invocation, targets: Targets) -> None:
    if not targets.dimensions["LoadBalancer"]:
        invocation.console.say(
            f"stack {invocation.config.system}-ecs is not there: "
            "nothing to show for lb and asg; opsctl ecs up"
        )


def _seconds(text: str) -> int:
    try:
        seconds = int(parse_duration(text).total_seconds())
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if seconds < 1 or (seconds > 59 and seconds % 60):
        raise ConfigError(
            f"`{text}` is no period; write 30s or 5m: seconds below a minute, or whole minutes"
        )
    return seconds


def _tasks(ecs: "ECSClient", targets: Targets) -> str:
    """What ECS counts itself, now; '' when there is no such service."""
    cluster, service = targets.dimensions["ClusterName"], targets.dimensions["ServiceName"]
    try:
        found = ecs.describe_services(cluster=cluster, services=[service])["services"]
    except Exception as error:
        if aws.code(error) == "ClusterNotFoundException":
            return ""
        raise
    if not found or found[0]["status"] == "INACTIVE":
        return ""
    return (
        f"{found[0]['runningCount']} running, {found[0]['pendingCount']} pending, "
        f"{found[0]['desiredCount']} desired"
    )


def _table(
    invocation: options.Invocation,
    groups: Sequence[str],
    found: Sequence[Series],
    now: datetime,
    tasks: str,
) -> None:
    """One table with a heading row for each group, so that the columns line up."""
    if found:
        over = found[0].window
        invocation.console.data(
            f"{invocation.config.system}  {over.start:%Y-%m-%d %H:%M} to "
            f"{over.end:%Y-%m-%d %H:%M}Z, a point every "
            f"{format_duration(over.time(1) - over.start)}"
        )
    rows: list[tuple[str, ...]] = []
    blank = ("",) * (len(screen.HEADER) - 1)
    for group in groups:
        mine = [series for series in found if series.query.metric.group == group]
        if not mine:
            continue
        rows.append((f"{group}: {catalogue.GROUPS[group]}", *blank))
        if group == "service" and tasks:
            rows.append((f"  tasks now: {tasks}", *blank))
        for series in mine:
            label, *cells = screen.row(series, now, _WIDTH)
            rows.append((f"  {label}", *cells))
    invocation.console.table(screen.HEADER, rows)


def _emit(invocation: options.Invocation, found: Sequence[Series]) -> None:
    for series in found:
        metric = series.query.metric
        invocation.console.emit(
            "metric",
            group=metric.group,
            namespace=metric.namespace,
            metric=metric.name,
            statistic=metric.statistic,
            dimensions=series.query.dimensions,
            unit=metric.unit,
            tells=metric.tells,
            status=series.status,
            period_seconds=series.window.period,
            start=series.window.start,
            end=series.window.end,
            points=series.points,
        )


def _csv(found: Sequence[Series]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("time", "group", "metric", "about", "statistic", "period", "value"))
    for series in found:
        metric = series.query.metric
        for index, point in enumerate(series.points):
            if point is not None:
                writer.writerow(
                    (
                        series.window.time(index).isoformat(),
                        metric.group,
                        metric.name,
                        series.query.about,
                        metric.statistic,
                        series.window.period,
                        point,
                    )
                )
