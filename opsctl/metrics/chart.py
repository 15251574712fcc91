"""Draw a chart of one metric in characters: bars, axes, a threshold, and marks below. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from opsctl.metrics.series import Series

_EIGHTHS = " ▁▂▃▄▅▆▇█"
GAP = "·"
RELEASE, ALARM = "▲", "✗"  # marks
_LEAST_WIDTH, _LEAST_HEIGHT = 20, 4


@dataclass(frozen=True, slots=True)
class Mark:
    """An event. `sign` is one character below the chart, `text` its line in the list."""

    at: datetime
    sign: str
    text: str


def chart(
    series: Series,
    width: int,
    height: int,
    *,
    number: Callable[[float], str],
    threshold: float | None = None,
    marks: Sequence[Mark] = (),
) -> list[str]:
    """Return lines of at most `width` columns.

    A column shows its greatest point; gaps stay empty.
    """
    values = series.scaled
    known = [value for value in values if value is not None]
    top = max([*known, *([threshold] if threshold is not None else [])], default=0.0) or 1.0
    label = max(len(number(top)), len(number(top / 2)), 1)
    columns = _columns(values, max(_LEAST_WIDTH, width - label - 3))
    rows = max(_LEAST_HEIGHT, height)
    limit = None if threshold is None else round(threshold / top * rows)
    drawn = []
    for row in range(rows, 0, -1):
        line = "".join(_cell(value, top, rows, row) for value in columns)
        if row == limit:
            line = "".join("╌" if sign == " " else sign for sign in line)
        name = number(top * row / rows) if row in (rows, (rows + 1) // 2) else ""
        if row == limit and not name and threshold is not None:
            name = number(threshold)
        drawn.append(f"{name:>{label}} ┤{line}".rstrip())
    axis = "".join("─" if value is not None else GAP for value in columns)
    return [
        *drawn,
        f"{'0':>{label}} ┼{axis}",
        *_marked(series, marks, len(columns), label),
        f"{'':>{label}}  {_times(series, len(columns))}",
    ]


def _columns(values: Sequence[float | None], width: int) -> list[float | None]:
    """Return one value per column. Few points are drawn wider, to fill the chart."""
    count = len(values)
    if not count:
        return [None] * width
    if count <= width:
        repeat = width // count
        return [value for value in values for _ in range(repeat)]
    spans = ((column * count // width, (column + 1) * count // width) for column in range(width))
    return [max((p for p in values[a:b] if p is not None), default=None) for a, b in spans]


def _cell(value: float | None, top: float, rows: int, row: int) -> str:
    if value is None:
        return " "
    eighths = round(max(0.0, value) / top * rows * 8) - (row - 1) * 8
    return _EIGHTHS[min(8, max(0, eighths))]


def _marked(series: Series, marks: Sequence[Mark], width: int, label: int) -> list[str]:
    inside = list(series.window.inside(marks))
    if not inside:
        return []
    line = [" "] * width
    # A release in the same minute may be the cause of the alarm, so it is drawn last.
    for mark, share in sorted(inside, key=lambda placed: placed[0].sign == RELEASE):
        line[min(int(share * width), width - 1)] = mark.sign
    return [f"{'':>{label}}  {''.join(line)}".rstrip()]


def _times(series: Series, width: int) -> str:
    over = series.window
    days = (over.end - over.start).days >= 1
    first, last = (
        f"{moment:{'%m-%d %H:%M' if days else '%H:%M'}}Z" for moment in (over.start, over.end)
    )
    return f"{first}{last:>{max(1, width - len(first))}}"
