"""Metrics on the screen: numbers, units and sparklines; a gap is drawn as a gap."""

import csv
import sys
from collections.abc import Sequence
from datetime import datetime

from opsctl.cli.screens.console import Console
from opsctl.config.duration import format_duration
from opsctl.metrics.catalogue import GROUPS
from opsctl.metrics.series import Series
from opsctl.snapshot.snapshot import Snapshot

HEADER = ("METRIC", "VALUE", "UNIT", "VS MEAN", "", "MIN", "MAX", "AGE")
GAP = "·"
_WIDTH = 30  # columns of a sparkline
_BARS = "▁▂▃▄▅▆▇█"
# suffix, from where on, divided by
_SCALES = {
    "bytes": ((" GiB", 1 << 30, 1 << 30), (" MiB", 1 << 20, 1 << 20), (" KiB", 1 << 10, 1 << 10)),
    "count": (("M", 1_000_000, 1_000_000), ("k", 10_000, 1000)),
}


def sparkline(points: Sequence[float | None], width: int) -> str:
    """At most `width` signs, each the greatest of its points; `·` where there are none."""
    width = min(width, len(points))
    columns = []
    for column in range(width):
        first, last = column * len(points) // width, (column + 1) * len(points) // width
        columns.append(max((p for p in points[first:last] if p is not None), default=None))
    known = [column for column in columns if column is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    # A level line is drawn low, a level line at nothing lowest: the eye reads height as much.
    level = 0 if high == 0 else 3
    return "".join(
        GAP
        if column is None
        else _BARS[round((column - low) / (high - low) * 7) if high > low else level]
        for column in columns
    )


def row(series: Series, now: datetime, width: int) -> tuple[str, ...]:
    """The cells below `HEADER`. `~` marks a value that late samples may still change."""
    metric, label = series.query.metric, name(series)
    values = series.scaled
    known = [value for value in values if value is not None]
    if series.status in ("InternalError", "Forbidden"):
        return (label, "?", "", "", "", "", "", f"CloudWatch: {series.status}")
    if not known or series.newest is None:
        return (label, "-", "", "", sparkline(values, width), "", "", "no data")
    newest, age = values[series.newest], series.age(now)
    assert newest is not None and age is not None
    change = newest - sum(known) / len(known)
    return (
        label,
        number(newest, metric.unit) + ("" if series.settled(now) else "~"),
        f"{metric.unit}/min" if metric.statistic == "Sum" else metric.unit,
        signed(change, metric.unit),
        sparkline(values, width),
        number(min(known), metric.unit),
        number(max(known), metric.unit),
        format_duration(age) + (", partial" if series.status == "PartialData" else ""),
    )


def name(series: Series) -> str:
    metric = series.query.metric
    # The count of samples is shown as what it means.
    shown = "RunningTasks" if metric.statistic == "SampleCount" else metric.name
    return f"{shown} {series.query.about}".rstrip()


def number(value: float, unit: str) -> str:
    for suffix, least, divisor in _SCALES.get(unit, ()):
        if abs(value) >= least:
            return f"{value / divisor:.1f}{suffix}"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def signed(value: float, unit: str) -> str:
    shown = number(abs(value), unit)
    return "=" if shown in ("0", "0.0") else f"{'+' if value > 0 else '-'}{shown}"


class MetricsScreen:
    """`in_place` clears the terminal before each showing."""

    def __init__(
        self, console: Console, groups: Sequence[str], *, csv: bool, in_place: bool
    ) -> None:
        self._console = console
        self._groups = groups
        self._csv = csv
        self._in_place = in_place
        self._first = True

    def show(self, snapshot: Snapshot, series: Sequence[Series], now: datetime) -> None:
        if self._first:
            self._say_what_is_missing(snapshot)
        self._first = False
        if self._in_place:
            sys.stdout.write("\x1b[H\x1b[2J")
        if self._console.json:
            _emit(self._console, series)
        elif self._csv:
            _write_csv(series)
        else:
            self._table(snapshot, series, now)

    def _say_what_is_missing(self, snapshot: Snapshot) -> None:
        for unread in snapshot.unread:
            self._console.warn(f"not readable: {unread.part}: {unread.reason}")
        if {"asg", "lb"} & set(self._groups) and not snapshot.output("ecs", "LoadBalancerFullName"):
            name = snapshot.names.stacks["ecs"]
            hint = self._console.hint("opsctl ecs up")
            self._console.say(f"there is no stack `{name}`: nothing to show for lb and asg; {hint}")

    def _table(self, snapshot: Snapshot, series: Sequence[Series], now: datetime) -> None:
        """One table with a heading row for each group, so that the columns line up."""
        if series:
            over = series[0].window
            self._console.data(
                f"{snapshot.names.system}  {over.start:%Y-%m-%d %H:%M} to "
                f"{over.end:%Y-%m-%d %H:%M}Z, a point every "
                f"{format_duration(over.time(1) - over.start)}"
            )
        rows: list[tuple[str, ...]] = []
        blank = ("",) * (len(HEADER) - 1)
        for group in self._groups:
            mine = [one for one in series if one.query.metric.group == group]
            if not mine:
                continue
            rows.append((f"{group}: {GROUPS[group]}", *blank))
            if group == "service" and snapshot.service:
                rows.append((f"  {_tasks(snapshot)}", *blank))
            for one in mine:
                label, *cells = row(one, now, _WIDTH)
                rows.append((f"  {label}", *cells))
        self._console.table(HEADER, rows)


def _tasks(snapshot: Snapshot) -> str:
    """What ECS counts itself, now."""
    service = snapshot.service
    assert service is not None
    return (
        f"tasks now: {service.running} running, {service.pending} pending, "
        f"{service.desired} desired"
    )


def _emit(console: Console, series: Sequence[Series]) -> None:
    for one in series:
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
