"""Show metrics: numbers, units and sparklines. Gaps stay visible."""

import csv
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from opsctl.alarms.limits import Limit
from opsctl.cli.screens.console import Console
from opsctl.cli.screens.metric_cells import HEADER, limited, name, number, row
from opsctl.cli.screens.words import fitted
from opsctl.config.duration import format_duration
from opsctl.errors import ConfigError, nearest
from opsctl.metrics.catalogue import GROUPS
from opsctl.metrics.chart import ALARM, RELEASE, Mark, chart
from opsctl.metrics.meanings import MEANINGS
from opsctl.metrics.page import page
from opsctl.metrics.panels import Panel, panels
from opsctl.metrics.picture import picture
from opsctl.metrics.series import Series, Window
from opsctl.plural import counted
from opsctl.snapshot.snapshot import Snapshot

_WIDTH, _LEAST_WIDTH = 30, 8  # columns of a sparkline
_LABEL = 26  # columns of a name that is cut
_EXTRA = ("VS MEAN", "MIN", "UNIT", "MAX", "")  # the cells that are left out first
_PER_METRIC = 0.01 / 1000  # US dollars; GetMetricData is billed per metric, in most Regions


PIPED = (120, 24)  # columns and lines without a terminal


@dataclass(frozen=True, slots=True)
class Shown:
    """One reading of the metrics. `limits` maps the index of a series to its limit."""

    snapshot: Snapshot
    series: Sequence[Series]
    now: datetime
    limits: Mapping[int, Limit]


class MetricsScreen:
    """`width` is the terminal's; `clear` empties it each time; `lines` limits the height."""

    def __init__(
        self,
        console: Console,
        groups: Sequence[str],
        *,
        csv: bool = False,
        clear: bool = False,
        width: int = 120,
        lines: int | None = None,
    ) -> None:
        self._console = console
        self._groups = groups
        self._csv = csv
        self._clear = clear
        self._width = width
        self._lines = lines
        self._first = True

    def show(self, shown: Shown) -> None:
        if self._first:
            self._say_what_is_missing(shown.snapshot)
        self._first = False
        if self._console.json:
            _emit(self._console, shown)
        elif self._csv:
            _write_csv(shown.series)
        else:
            lines = self._table(shown)
            if self._clear:
                sys.stdout.write("\x1b[H\x1b[2J")
            if self._lines is not None and len(lines) > self._lines:
                left = len(lines) - self._lines + 1
                lines = [*lines[: self._lines - 1], f"… {left} more lines: name a group"]
            for line in lines:
                self._console.data(line)

    def _say_what_is_missing(self, snapshot: Snapshot) -> None:
        for unread in snapshot.unread:
            self._console.warn(f"not readable: {unread.part}: {unread.reason}")
        if {"asg", "lb"} & set(self._groups) and not snapshot.output("ecs", "LoadBalancerFullName"):
            name = snapshot.names.stacks["ecs"]
            hint = self._console.hint("opsctl ecs up")
            self._console.say(f"there is no stack `{name}`: nothing to show for lb and asg; {hint}")

    def _table(self, shown: Shown) -> list[str]:
        """Return one table with a heading for each group, so that the columns align."""
        snapshot, series = shown.snapshot, shown.series
        lines = []
        if series:
            over = series[0].window
            head = (
                f"{snapshot.names.system}  {_span(over)}, "
                f"a point every {format_duration(over.time(1) - over.start)}"
            )
            lines.append(fitted(head, self._width))
        fit = _Fit(shown, self._width)
        lines.append(fit.line(HEADER))
        for group in self._groups:
            mine = [index for index, one in enumerate(series) if one.query.metric.group == group]
            if not mine:
                continue
            lines.append(f"{group}: {GROUPS[group]}")
            if group == "service" and snapshot.service:
                lines.append(f"  {_tasks(snapshot)}")
            lines += [fit.row(index) for index in mine]
        return lines


class _Fit:
    """Fits the rows into the width: shorter sparklines first, then fewer cells."""

    def __init__(self, shown: Shown, width: int) -> None:
        self._shown = shown
        self._gap, self._label, self._without = 2, 100, set[str]()
        self._spark = _WIDTH
        self._rows = self._made()
        spare = width - self._total()
        self._spark = max(_LEAST_WIDTH, min(_WIDTH, _WIDTH + spare))
        self._rows = self._made()
        if self._total() > width:
            self._gap, self._label = 1, _LABEL
            self._rows = self._made()
        for extra in _EXTRA:
            if self._total() > width:
                self._without.add(extra)
        self._widths = self._columns()

    def row(self, index: int) -> str:
        return self.line(self._rows[index])

    def line(self, cells: Sequence[str]) -> str:
        kept = [
            cell.ljust(width)
            for cell, width, name in zip(cells, self._widths, HEADER, strict=True)
            if name not in self._without
        ]
        return (" " * self._gap).join(kept).rstrip()

    def _made(self) -> list[tuple[str, ...]]:
        rows = []
        for index, one in enumerate(self._shown.series):
            limit = self._shown.limits.get(index)
            _, *cells = row(one, self._shown.now, self._spark, limit)
            rows.append((f"  {name(one, self._label)}", *cells))
        return rows

    def _columns(self) -> list[int]:
        return [max(map(len, column)) for column in zip(HEADER, *self._rows, strict=True)]

    def _total(self) -> int:
        kept = [
            width
            for width, name in zip(self._columns(), HEADER, strict=True)
            if name not in self._without
        ]
        return sum(kept) + self._gap * (len(kept) - 1)


def explain(console: Console, shown: Shown, width: int = 80) -> None:
    """Print once what each row means, and its limit in words."""
    meanings = dict[str, str]()
    for index, one in enumerate(shown.series):
        metric = one.query.metric
        label = "RunningTasks" if metric.statistic == "SampleCount" else metric.name
        limit = shown.limits.get(index)
        key = f"{metric.group} {label}"
        if key in meanings:
            continue
        rings = f" Alarm {limit.alarm}: {limited(limit, metric.unit)}." if limit else ""
        meanings[key] = f"{MEANINGS.get(label, metric.tells)}{rings}"
    for key, text in meanings.items():
        group, _, label = key.partition(" ")
        console.emit("metric_meaning", group=group, metric=label, text=text)
        if not console.json:
            console.data(f"{label} ({group})")
            for line in textwrap.wrap(text, max(20, min(78, width - 2))):
                console.data(f"  {line}")


def plot(
    console: Console, shown: Shown, wanted: str, marks: Sequence[Mark], width: int, height: int
) -> None:
    """Print a chart of each row of this metric. Raises ConfigError for an unknown name."""
    mine = _named(shown.series, wanted)
    over = shown.series[mine[0]].window
    happened = [mark for mark, _ in over.inside(marks)]
    if console.json:
        _emit(console, shown, mine)
        for mark in happened:
            kind = "alarm" if mark.sign == ALARM else "release"
            console.emit("mark", time=mark.at, kind=kind, text=mark.text)
        return
    for index in mine:
        one, limit = shown.series[index], shown.limits.get(index)
        unit = one.query.metric.unit
        per = "/min" if one.query.metric.statistic == "Sum" else ""
        console.data(f"{one.query.metric.group}: {name(one)}, {unit}{per}")
        for line in chart(
            one,
            width,
            height,
            number=lambda value, unit=unit: number(value, unit),  # type: ignore[misc]  # bound now
            threshold=limit.threshold if limit else None,
            marks=marks,
        ):
            console.data(line)
    for mark in happened:
        console.data(f"  {mark.sign} {mark.at:%H:%M:%S}Z  {mark.text}")


def _named(series: Sequence[Series], wanted: str) -> list[int]:
    """Return rows with this name in every group, else rows whose name contains it."""
    names, low = [name(one).lower() for one in series], wanted.lower()
    mine = [index for index, label in enumerate(names) if label.split(" ")[0] == low]
    mine = mine or [index for index, label in enumerate(names) if low in label]
    if not mine:
        near = nearest(wanted, [name(one).split(" ")[0] for one in series], cutoff=0.3)
        raise ConfigError(
            f"no metric here is called `{wanted}`",
            hint=f"opsctl metrics --plot {near}" if near else "opsctl metrics all",
        )
    return mine


def as_page(shown: Shown, marks: Sequence[Mark]) -> str:
    return page(_title(shown), _panels(shown), marks)


def as_picture(shown: Shown, marks: Sequence[Mark]) -> bytes:
    """Return the same charts as the page's, as a PNG."""
    return picture(_title(shown), _panels(shown), marks)


def _title(shown: Shown) -> str:
    over = shown.series[0].window if shown.series else None
    return f"{shown.snapshot.names.system}{f', {_span(over)}' if over else ''}"


def _span(over: Window) -> str:
    day = "" if over.start.date() == over.end.date() else f"{over.end:%Y-%m-%d} "
    return f"{over.start:%Y-%m-%d %H:%M} to {day}{over.end:%H:%M}Z"


def _panels(shown: Shown) -> list[Panel]:
    return panels(
        shown.series,
        name=name,
        number=lambda one, value: number(value, one.query.metric.unit),
        thresholds={index: limit.threshold for index, limit in shown.limits.items()},
    )


def marks(snapshot: Snapshot) -> list[Mark]:
    """Return releases and alarms that went into ALARM, oldest first."""
    moments = [
        Mark(one.begun, RELEASE, f"release {one.number}{f' by {one.name}' if one.name else ''}")
        for one in snapshot.releases
    ]
    moments += [
        Mark(one.time, ALARM, f"{one.name.removeprefix(snapshot.names.alarms)} rings")
        for one in snapshot.alarm_changes
        if one.after == "ALARM"
    ]
    return sorted(moments, key=lambda mark: mark.at)


def price(series: Sequence[Series], every: float) -> str:
    """Return the price of repeated reading. Several statistics of one metric are billed once."""
    metrics = {
        (one.query.metric.namespace, one.query.metric.name, *sorted(one.query.dimensions.items()))
        for one in series
    }
    an_hour = len(metrics) * 3600 / every * _PER_METRIC
    return f"{counted(len(metrics), 'metric')} every {every:g}s: about ${an_hour:.2f} an hour"


def _tasks(snapshot: Snapshot) -> str:
    """Return the present counts of ECS."""
    service = snapshot.service
    assert service is not None
    return (
        f"tasks now: {service.running} running, {service.pending} pending, "
        f"{service.desired} desired"
    )


def _emit(console: Console, shown: Shown, indexes: Iterable[int] | None = None) -> None:
    for index in range(len(shown.series)) if indexes is None else indexes:
        one, limit = shown.series[index], shown.limits.get(index)
        metric = one.query.metric
        console.emit(
            "metric",
            group=metric.group,
            namespace=metric.namespace,
            metric=metric.name,
            statistic=metric.statistic,
            dimensions=one.query.dimensions,
            unit=metric.unit,
            tells=metric.tells,
            status=one.status,
            period_seconds=one.window.period,
            start=one.window.start,
            end=one.window.end,
            points=one.points,
            threshold=limit.threshold if limit else None,
            alarm=limit.alarm if limit else None,
            alarm_state=limit.state or None if limit else None,
        )


def _write_csv(series: Sequence[Series]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("time", "group", "metric", "about", "statistic", "period", "value"))
    for one in series:
        metric = one.query.metric
        for index, point in enumerate(one.points):
            if point is not None:
                writer.writerow(
                    (
                        one.window.time(index).isoformat(),
                        metric.group,
                        metric.name,
                        one.query.about,
                        metric.statistic,
                        one.window.period,
                        point,
                    )
                )
