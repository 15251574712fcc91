"""`opsctl metrics`: the system's metrics with sparklines, read in one call."""

import shutil
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from opsctl.cli import moments, options
from opsctl.cli.metrics import check as checking
from opsctl.cli.metrics import files
from opsctl.cli.metrics import watch as watching
from opsctl.cli.metrics.look import Metrics, period_of
from opsctl.cli.screens import metrics as screens
from opsctl.cli.screens.metrics import PIPED, MetricsScreen
from opsctl.errors import ConfigError
from opsctl.metrics import catalogue

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def metrics(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="GROUP", help="cluster, service, lb, cache, logs, asg, all."),
    ] = None,
    since: options.Since = "3h",
    period: Annotated[str, Option(metavar="PERIOD", help="auto, or for instance 1m, 5m.")] = "auto",
    plot: Annotated[str, Option(metavar="METRIC", help="A chart of this metric.")] = "",
    html: Annotated[
        Path | None, Option(metavar="FILE", help="All charts as one page in this file.")
    ] = None,
    png: Annotated[
        Path | None, Option(metavar="FILE", help="All charts as one picture in this file.")
    ] = None,
    explain: Annotated[bool, Option("--explain", help="Say what each metric means.")] = False,
    check: Annotated[
        bool, Option("--check", help="One line; exit 0 healthy, 10 a limit is crossed, 11 unknown.")
    ] = False,
    as_csv: Annotated[bool, Option("--csv", help="One line per point.")] = False,
    watch: Annotated[bool, Option("--watch", help="Repeat until Ctrl-C.")] = False,
    every: Annotated[str, Option(metavar="DURATION", help="How often with --watch.")] = "30s",
) -> int:
    """Show the metrics of the cluster, service, load balancer, cache, logs and instances.

    A gap (·) means no data, not zero. Sums are per minute. `~` marks a value younger than two
    minutes, which late samples may still change. LIMIT is the alarm's, with its state: ✗ is ALARM.
    """
    # Long because it is the table of options, each used once.
    invocation, groups = options.opened(context), catalogue.chosen(names or [])
    charts = bool(plot or html or png)
    csv = as_csv and not watch  # --watch --csv writes rows repeatedly
    shows = {"--check": check, "--watch": watch, "--csv": csv}
    options.require_one(shows | {"--plot": plot, "--explain": explain})
    options.require_one(shows | {"--html or --png": html or png})
    options.require_one({"--csv": as_csv, "--json": invocation.console.json})
    options.require_partner(context, "every", "--every", "--watch", watch)
    for name in ("since", "period"):
        options.require_one({"--check": check, f"--{name}": options.is_given(context, name)})
    if html is not None and png is not None and html.absolute() == png.absolute():
        raise ConfigError("--html and --png name the same file", hint="opsctl metrics --help")
    if check:
        return checking.check(invocation, groups)
    length = None if period == "auto" else period_of(period, "--period")
    pause = int(moments.pause(every, "--every"))
    if png is not None:
        files.require_matplotlib()
    wanted = Metrics(invocation, groups, since, length)
    if watch:
        watching.watch(wanted, pause, as_csv=as_csv)
    shown = wanted.look(marked=charts)
    console, size = invocation.console, shutil.get_terminal_size(PIPED)
    marks = screens.marks(shown.snapshot)
    if explain:
        screens.explain(console, shown, size.columns)
    elif plot:
        screens.plot(console, shown, plot, marks, size.columns, min(16, size.lines - 6))
    elif not charts:
        MetricsScreen(console, groups, csv=as_csv, width=size.columns).show(shown)
    files.write(console, shown, marks, html, png)
    return 0
