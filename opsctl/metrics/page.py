"""Show all metrics as one self-contained HTML page: no scripts, files or network. Pure."""

from collections.abc import Iterator, Sequence
from html import escape

from opsctl.metrics.catalogue import GROUPS
from opsctl.metrics.chart import ALARM, Mark
from opsctl.metrics.panels import Panel

_WIDTH, _HEIGHT, _LEFT, _ABOVE, _BELOW = 520, 150, 62, 8, 22
_WIDE, _TALL = _WIDTH - _LEFT, _HEIGHT - _BELOW - _ABOVE  # of the chart inside its axes
_STYLE = """
body{font:14px system-ui,sans-serif;margin:24px;color:#222;background:#fff}
h1{font-size:20px}h2{font-size:16px;margin:28px 0 8px;border-bottom:1px solid #ccc}
.charts{display:flex;flex-wrap:wrap;gap:18px}figure{margin:0;width:520px}
figcaption{font-weight:600;margin-bottom:2px}small{font-weight:400;color:#666}
svg{display:block}text{font:11px system-ui,sans-serif;fill:#666}
.line{fill:none;stroke:#1668c4;stroke-width:1.6}.dot{fill:#1668c4}
.axis{stroke:#ccc}.limit{stroke:#b3261e;stroke-dasharray:5 4}
.mark{stroke:#7a4fbf}.rings{stroke:#b3261e}
@media(prefers-color-scheme:dark){body{background:#181a1b;color:#ddd}.axis{stroke:#444}}
"""


def page(title: str, panels: Sequence[Panel], marks: Sequence[Mark]) -> str:
    """Return the page. Marks are drawn on every chart and listed once."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>"
    ]
    for group, about in GROUPS.items():
        mine = [panel for panel in panels if panel.group == group]
        if not mine:
            continue
        parts.append(f"<h2>{escape(group)} <small>{escape(about)}</small></h2><div class=charts>")
        for panel in mine:
            caption, tells = escape(panel.title), escape(panel.tells)
            parts.append(f"<figure><figcaption>{caption} <small>{tells}</small></figcaption>")
            parts += _svg(panel, marks)
            parts.append("</figure>")
        parts.append("</div>")
    if marks:
        items = "".join(
            f"<li>{mark.sign} {mark.at:%Y-%m-%d %H:%M:%S}Z {escape(mark.text)}</li>"
            for mark in marks
        )
        parts.append(f"<h2>What happened</h2><ul>{items}</ul>")
    return "\n".join(parts) + "\n</html>\n"


def _svg(panel: Panel, marks: Sequence[Mark]) -> Iterator[str]:
    yield f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img">'
    yield from _axes(panel)
    yield from _marks(panel, marks)
    yield from _lines(panel)
    yield "</svg>"


def _y(panel: Panel, value: float) -> float:
    return round(_ABOVE + _TALL - max(0.0, value) / panel.top * _TALL, 1)


def _axes(panel: Panel) -> Iterator[str]:
    for value in (0.0, panel.top / 2, panel.top):
        at = _y(panel, value)
        yield f'<line class=axis x1="{_LEFT}" x2="{_WIDTH}" y1="{at}" y2="{at}"/>'
        label = escape(panel.number(value))
        yield f'<text x="{_LEFT - 6}" y="{at + 4}" text-anchor="end">{label}</text>'
    if panel.threshold is not None:
        at = _y(panel, panel.threshold)
        yield f'<line class=limit x1="{_LEFT}" x2="{_WIDTH}" y1="{at}" y2="{at}"/>'
    over = panel.series.window
    for moment, anchor, place in ((over.start, "start", _LEFT), (over.end, "end", _WIDTH)):
        time = f"{moment:%m-%d %H:%M}Z"
        yield f'<text x="{place}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{time}</text>'


def _marks(panel: Panel, marks: Sequence[Mark]) -> Iterator[str]:
    for mark, share in panel.series.window.inside(marks):
        at = round(_LEFT + share * _WIDE, 1)
        kind = '"mark rings"' if mark.sign == ALARM else "mark"
        yield (
            f'<line class={kind} x1="{at}" x2="{at}" y1="{_ABOVE}" y2="{_ABOVE + _TALL}">'
            f"<title>{escape(mark.text)}</title></line>"
        )


def _lines(panel: Panel) -> Iterator[str]:
    count = max(1, len(panel.values))

    def point(index: int, value: float) -> tuple[float, float]:
        return round(_LEFT + (index + 0.5) / count * _WIDE, 1), _y(panel, value)

    for run in panel.runs():
        points = [point(index, value) for index, value in run]
        if len(points) == 1:
            [(x, y)] = points
            yield f'<circle class=dot cx="{x}" cy="{y}" r="2"/>'
        else:
            joined = " ".join(f"{x},{y}" for x, y in points)
            yield f'<polyline class=line points="{joined}"/>'
    if not panel.known:
        middle = f'x="{_LEFT + _WIDE / 2}" y="{_ABOVE + _TALL / 2}"'
        yield f'<text {middle} text-anchor="middle">no data</text>'
