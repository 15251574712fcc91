"""Draw the page's charts as one PNG with matplotlib, an optional extra that only this file imports.

Uses the Agg backend without pyplot: no display, no window, no state between two pictures.
"""

import io
import math
import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opsctl.metrics.catalogue import GROUPS
from opsctl.metrics.chart import ALARM, Mark
from opsctl.metrics.panels import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REQUIREMENT = "matplotlib>=3.10"  # the same as in the extra `png`
_DOTS = 100  # per inch
_WIDE, _TALL, _LINE, _HEAD = 6.0, 1.9, 0.2, 0.7  # inches: a chart, a line of text, the title
# rows of charts; more charts get more columns, because Agg draws at most 65,536 dots
_MOST_ROWS = 60
_MOST_LISTED = 40
_BLUE, _GREY, _RED, _VIOLET = "#1668c4", "#666666", "#b3261e", "#7a4fbf"


def picture(title: str, panels: Sequence[Panel], marks: Sequence[Mark]) -> bytes:
    """Return a PNG. Raises ImportError when matplotlib is not installed."""
    # matplotlib reads this when it is imported, and refuses unknown names.
    os.environ["MPLBACKEND"] = "agg"
    import matplotlib
    from matplotlib.figure import Figure

    ordered = [panel for group in GROUPS for panel in panels if panel.group == group]
    columns = max(2, math.ceil(len(ordered) / _MOST_ROWS))
    rows = max(1, math.ceil(len(ordered) / columns))
    listed = _listed(marks)
    below = _LINE * (len(listed) + 1)
    width, height = columns * _WIDE, _HEAD + rows * _TALL + below
    # Ignore the user's matplotlibrc; draw boxes for characters that the font lacks, without
    # warnings on stderr.
    with warnings.catch_warnings(), matplotlib.rc_context(matplotlib.rcParamsDefault):
        warnings.simplefilter("ignore")
        figure = Figure(figsize=(width, height), dpi=_DOTS)
        figure.text(0.01, 1 - 0.35 / height, _plain(title), parse_math=False, fontsize=13)
        for index, panel in enumerate(ordered):
            row, column = divmod(index, columns)
            left, top = column * _WIDE + 0.8, _HEAD + row * _TALL + 0.3
            box = (left / width, 1 - (top + 1.2) / height, 4.7 / width, 1.2 / height)
            _draw(figure.add_axes(box), panel, marks)
        for index, line in enumerate(listed):
            at = (below - _LINE * (index + 0.8)) / height
            figure.text(0.01, at, _plain(line), parse_math=False, color=_GREY, fontsize=9)
        written = io.BytesIO()
        figure.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def _draw(axes: "Axes", panel: Panel, marks: Sequence[Mark]) -> None:
    count, top, over = max(1, len(panel.values)), panel.top, panel.series.window
    heading = f"{panel.group}: {panel.title}  ({panel.tells})"
    axes.set_title(_plain(heading), loc="left", fontsize=8, parse_math=False)
    axes.set_xlim(0, count)
    axes.set_ylim(-0.03 * top, top * 1.05)  # so that a line at 0 is visible
    for run in panel.runs():
        xs, ys = [index + 0.5 for index, _ in run], [value for _, value in run]
        axes.plot(xs, ys, color=_BLUE, linewidth=1.4, marker="." if len(run) == 1 else "")
    if panel.threshold is not None:
        axes.axhline(panel.threshold, color=_RED, linestyle="--", linewidth=1)
    for mark, share in over.inside(marks):
        rings = mark.sign == ALARM
        color = _RED if rings else _VIOLET
        axes.axvline(share * count, color=color, linewidth=1, linestyle=":" if rings else "-")
        # Distinguished by shape, too, not by colour alone.
        sign = "x" if rings else "^"
        axes.plot([share * count], [top * 1.02], sign, color=color, markersize=5, clip_on=False)
    if not panel.known:
        axes.text(count / 2, top / 2, "no data", ha="center", color=_GREY, fontsize=8)
    axes.set_yticks([0, top / 2, top], [panel.number(value) for value in (0.0, top / 2, top)])
    ticks = [0, len(over) // 2, len(over)]
    axes.set_xticks(ticks, [f"{over.time(tick):%m-%d %H:%M}Z" for tick in ticks])
    axes.tick_params(labelsize=7, colors=_GREY)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _listed(marks: Sequence[Mark]) -> list[str]:
    """Return lines for the newest events, and how many older ones there are."""
    kept = marks[-_MOST_LISTED:]
    more = [f"… and {len(marks) - len(kept)} before"] if len(kept) < len(marks) else []
    return more + [
        f"{'✗' if mark.sign == ALARM else '▲'} {mark.at:%Y-%m-%d %H:%M:%S}Z  {mark.text}"
        for mark in kept
    ]


def _plain(text: str) -> str:
    """Replace characters that no font can draw, such as control characters, by a dot."""
    return "".join(sign if sign.isprintable() else "·" for sign in text)
