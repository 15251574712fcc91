"""`opsctl metrics`: the curated metrics with sparklines, all of them in one call."""

import sys
import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from typer import Option

from opsctl.cli import moments, options
from opsctl.cli.screens.metrics import MetricsScreen
from opsctl.errors import ConfigError
from opsctl.metrics import catalogue
from opsctl.metrics.fetch import fetch
from opsctl.metrics.series import window
from opsctl.metrics.targets import LOOK, targets

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


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
    length = None if period == "auto" else _seconds(period, "--period")
    pause = _seconds(every, "--every")
    in_place = watch and sys.stdout.isatty() and not invocation.console.plain
    screen = MetricsScreen(invocation.console, groups, csv=as_csv, in_place=in_place)
    while True:
        snapshot = invocation.reader(LOOK)
        queries = list(catalogue.queries(groups, targets(snapshot, invocation.config)))
        now = datetime.now(UTC)
        over = window(moments.moment(since, now=now, zone=UTC), now, length)
        screen.show(snapshot, fetch(invocation.clients.cloudwatch, queries, over), now)
        if not watch:
            return
        time.sleep(pause)


def _seconds(text: str, option: str) -> int:
    seconds = int(moments.duration(text, option).total_seconds())
    if seconds < 1 or (seconds > 59 and seconds % 60):
        raise ConfigError(
            f"{option}: not a valid period: `{text}`",
            hint="for instance 30s or 5m: seconds below a minute, or whole minutes",
        )
    return seconds
