"""Format the cells of the metrics table: value with unit, change, sparkline, limit."""

from collections.abc import Sequence
from datetime import datetime

from opsctl.alarms.limits import Limit
from opsctl.cli.screens.words import fitted, zone_word
from opsctl.config.duration import format_duration
from opsctl.metrics.series import Series

HEADER = ("METRIC", "VALUE", "UNIT", "VS MEAN", "", "MIN", "MAX", "LIMIT", "AGE")
GAP = "·"
_STATES = {"OK": "●", "ALARM": "✗", "INSUFFICIENT_DATA": "○"}
_WIDE = 1e15  # from here on nobody counts digits
_BARS = "▁▂▃▄▅▆▇█"
# unit -> (suffix, smallest value, divisor)
_SCALES = {
    "bytes": ((" GiB", 1 << 30, 1 << 30), (" MiB", 1 << 20, 1 << 20), (" KiB", 1 << 10, 1 << 10)),
    "count": (("M", 1_000_000, 1_000_000), ("k", 10_000, 1000)),
}


def sparkline(points: Sequence[float | None], width: int) -> str:
    """Return at most `width` characters, each for the greatest of its points; `·` without any."""
    width = min(width, len(points))
    columns = []
    for column in range(width):
        first, last = column * len(points) // width, (column + 1) * len(points) // width
        columns.append(max((p for p in points[first:last] if p is not None), default=None))
    known = [column for column in columns if column is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    # A constant value is drawn low, and a constant 0 lowest, because height reads as size.
    level = 0 if high == 0 else 3
    return "".join(
        GAP
        if column is None
        else _BARS[round((column - low) / (high - low) * 7) if high > low else level]
        for column in columns
    )


def row(series: Series, now: datetime, width: int, limit: Limit | None = None) -> tuple[str, ...]:
    """Return the cells below `HEADER`. `~` marks a value that late samples may still change."""
    metric, label = series.query.metric, name(series)
    values = series.scaled
    known = [value for value in values if value is not None]
    beside = limited(limit, metric.unit)
    if series.failed:
        return (label, "?", "", "", "", "", "", beside, f"CloudWatch: {series.status}")
    if not known or series.newest is None:
        return (label, "-", "", "", sparkline(values, width), "", "", beside, "no data")
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
        beside,
        format_duration(age) + (", partial" if series.status == "PartialData" else ""),
    )


def limited(limit: Limit | None, unit: str) -> str:
    """Return the alarm's limit after its state: `✗ > 80`."""
    if limit is None:
        return ""
    state = _STATES.get(limit.state, "")
    return f"{state} {limit.comparison} {number(limit.threshold, unit)}".strip()


def name(series: Series, width: int = 1000) -> str:
    """Return the metric's name and what it is about. Only the name is cut, so that rows differ."""
    metric, about = series.query.metric, series.query.about
    if "AvailabilityZone" in series.query.dimensions:
        about = zone_word(about)
    # The number of samples is shown as what it means, the number of tasks.
    shown = "RunningTasks" if metric.statistic == "SampleCount" else metric.name
    return f"{fitted(shown, width - len(about) - bool(about))} {about}".rstrip()


def number(value: float, unit: str) -> str:
    if abs(value) >= _WIDE:
        return f"{value:.2g}"
    for suffix, least, divisor in _SCALES.get(unit, ()):
        if abs(value) >= least:
            return f"{value / divisor:.1f}{suffix}"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def signed(value: float, unit: str) -> str:
    shown = number(abs(value), unit)
    return "=" if shown in ("0", "0.0") else f"{'+' if value > 0 else '-'}{shown}"
