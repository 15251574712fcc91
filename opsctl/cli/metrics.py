"""`opsctl metrics`: the system's metrics with sparklines, read in one call."""

import shutil
import sys
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from opsctl import aws, disk
from opsctl.alarms import limits, watched
from opsctl.cli import moments, options
from opsctl.cli.installation import adding
from opsctl.cli.screens import metrics as screens
from opsctl.cli.screens.metrics import MetricsScreen, Shown
from opsctl.errors import ConfigError
from opsctl.metrics import catalogue
from opsctl.metrics.fetch import fetch
from opsctl.metrics.picture import REQUIREMENT
from opsctl.metrics.series import window
from opsctl.metrics.targets import LOOK, targets
from opsctl.snapshot.snapshot import Look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opsctl.cli.options import Invocation
    from opsctl.cli.screens.console import Console
    from opsctl.metrics.chart import Mark

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
_CODES = {"healthy": 0, "degraded": 10, "unknown": 11}
_PIPED = (120, 24)  # columns and lines without a terminal


@app.command()
def metrics(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[GROUP]...", help="cluster, service, lb, cache, logs, asg, all."),
    ] = None,
    since: options.Since = "3h",
    period: Annotated[str, Option(help="auto, or for instance 1m, 5m.")] = "auto",
    plot: Annotated[str, Option(metavar="METRIC", help="A chart of this metric.")] = "",
    html: Annotated[Path | None, Option(help="All charts as one page in this file.")] = None,
    png: Annotated[Path | None, Option(help="All charts as one picture in this file.")] = None,
    explain: Annotated[bool, Option("--explain", help="Say what each metric means.")] = False,
    check: Annotated[
        bool, Option("--check", help="One line; exit 0 healthy, 10 a limit is crossed, 11 unknown.")
    ] = False,
    as_csv: Annotated[bool, Option("--csv", help="One line per point.")] = False,
    watch: Annotated[bool, Option("--watch", help="Repeat until Ctrl-C.")] = False,
    every: Annotated[str, Option(help="How often with --watch.")] = "30s",
) -> int:
    """Show the metrics of the cluster, service, load balancer, cache, logs and instances.

    A gap (·) means no data, not zero. Sums are per minute. `~` marks a value younger than two
    minutes, which late samples may still change. LIMIT is the alarm's, with its state: ✗ is ALARM.
    """
    # Long because it is the table of options, each used once.
    invocation, groups = options.opened(context), catalogue.chosen(names or [])
    charts = bool(plot or html or png)
    csv = as_csv and not watch  # --watch --csv writes rows repeatedly
    shows = {"--check": check, "--watch": watch, "--csv": csv, "--plot": plot, "--explain": explain}
    _require_one(shows, html or png)
    if check:
        return _check(invocation, groups)
    length = None if period == "auto" else _seconds(period, "--period")
    pause = _seconds(every, "--every")
    if png is not None:
        _need_matplotlib()
    if watch:
        _watch(invocation, groups, since, length, pause, as_csv=as_csv)
    look = LOOK | _marked(since) if charts else LOOK
    shown = _look(invocation, groups, since, length, look)
    console, size = invocation.console, shutil.get_terminal_size(_PIPED)
    marks = screens.marks(shown.snapshot)
    if explain:
        screens.explain(console, shown, size.columns)
    elif plot:
        screens.plot(console, shown, plot, marks, size.columns, min(16, size.lines - 6))
    elif not charts:
        MetricsScreen(console, groups, csv=as_csv, width=size.columns).show(shown)
    if html is not None:
        page = screens.as_page(shown, marks)
        _write(console, "page", html, page.encode(errors="backslashreplace"))
    if png is not None:
        _write(console, "picture", png, _picture(shown, marks))
    return 0


def _require_one(shows: "Mapping[str, object]", file: Path | None) -> None:
    """Raise ConfigError for two options that each show something else."""
    said = [option for option, given in shows.items() if given]
    if file is not None and said and said[0] in ("--check", "--watch", "--csv"):
        said.append("--html or --png")
    if len(said) > 1:
        raise ConfigError(f"{said[0]} does not go together with {said[1]}: choose one")


def _need_matplotlib() -> None:
    """Raise ConfigError without matplotlib, before AWS is called."""
    if find_spec("matplotlib") is None:
        raise ConfigError(
            "--png draws with matplotlib, which is not installed", hint=adding(REQUIREMENT)
        )


def _picture(shown: Shown, marks: "Sequence[Mark]") -> bytes:
    try:
        return screens.as_picture(shown, marks)
    except ImportError as error:
        hint = adding(REQUIREMENT)
        raise ConfigError(f"matplotlib cannot be loaded: {error}", hint=hint) from error


def _write(console: "Console", kind: str, path: Path, content: bytes) -> None:
    disk.write(path, content)
    console.emit(kind, path=str(path))
    console.say(f"written: {path}")


def _look(
    invocation: "Invocation",
    groups: "Sequence[str]",
    since: str,
    length: int | None,
    look: Look = LOOK,
) -> Shown:
    snapshot = invocation.reader(look)
    queries = list(catalogue.queries(groups, targets(snapshot, invocation.config)))
    now = datetime.now(UTC)
    over = window(moments.moment(since, now=now, zone=UTC), now, length)
    series = fetch(invocation.clients.cloudwatch, queries, over)
    alarms = watched.watched(snapshot, invocation.config)
    return Shown(snapshot, series, now, limits.limits(series, alarms))


def _watch(
    invocation: "Invocation",
    groups: "Sequence[str]",
    since: str,
    length: int | None,
    pause: int,
    *,
    as_csv: bool,
) -> None:
    """Repeat for ever. When AWS does not answer, say so and try again."""
    console = invocation.console
    clear, priced = sys.stdout.isatty() and not console.plain, False
    while True:
        size = shutil.get_terminal_size(_PIPED)
        lines = size.lines - 1 if clear else None
        screen = MetricsScreen(
            console, groups, csv=as_csv, clear=clear, width=size.columns, lines=lines
        )
        try:
            shown = _look(invocation, groups, since, length)
        except Exception as error:
            if aws.fault(error) in (None, "refused"):
                raise
            console.warn(f"{aws.translate(error) or error}; looking again in {pause}s")
        else:
            screen.show(shown)
            if clear or not priced:
                console.say(screens.price(shown.series, pause))
                priced = True
        time.sleep(pause)


def _check(invocation: "Invocation", groups: "Sequence[str]") -> int:
    """Apply the alarms' rules to the newest points, even if the alarms do not exist."""
    snapshot = invocation.reader(LOOK)
    alarms = limits.of_groups(watched.watched(snapshot, invocation.config), groups)
    checked = limits.check(invocation.clients.cloudwatch, alarms, datetime.now(UTC))
    health, reason = limits.health(checked)
    console = invocation.console
    console.emit("health", health=health, reason=reason)
    if not console.json:
        console.data(f"{health}: {reason}")
    return _CODES[health]


def _marked(since: str) -> Look:
    """Return what is marked on charts."""
    start = moments.moment(since, now=datetime.now(UTC), zone=UTC)
    return Look(frozenset({"releases", "alarm_changes"}), (), since=start, releases=50)


def _seconds(text: str, option: str) -> int:
    seconds = int(moments.duration(text, option).total_seconds())
    if seconds < 1 or (seconds > 59 and seconds % 60):
        raise ConfigError(
            f"{option}: not a valid period: `{text}`",
            hint="for instance 30s or 5m: seconds below a minute, or whole minutes",
        )
    return seconds
