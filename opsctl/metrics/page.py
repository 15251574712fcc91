"""All metrics as one page of HTML that needs nothing else: no script, no file, no network. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape

from opsctl.metrics.catalogue import GROUPS
from opsctl.metrics.chart import Mark
from opsctl.metrics.series import Series

_WIDTH, _HEIGHT, _LEFT, _BELOW = 520, 150, 62, 22
_STYLE = """
body{font:14px system-ui,sans-serif;margin:24px;color:#222;background:#fff}
h1{font-size:20px}h2{font-size:16px;margin:28px 0 8px;border-bottom:1px solid #ccc}
.charts{display:flex;flex-wrap:wrap;gap:18px}figure{margin:0;width:520px}
figcaption{font-weight:600;margin-bottom:2px}small{font-weight:400;color:#666}
svg{display:block}text{font:11px system-ui,sans-serif;fill:#666}
.line{fill:none;stroke:#1668c4;stroke-width:1.6}.dot{fill:#1668c4}
.axis{stroke:#ccc}.limit{stroke:#b3261e;stroke-dasharray:5 4}.mark{stroke:#7a4fbf}
@media(prefers-color-scheme:dark){body{background:#181a1b;color:#ddd}.axis{stroke:#444}}
"""


def page(
    title: str,
    series: Sequence[Series],
    *,
    name: Callable[[Series], str],
    number: Callable[[Series, float], str],
    thresholds: Mapping[int, float],
    marks: Sequence[Mark],
) -> str:
    """`thresholds` are by the index of a series. Marks are drawn on every chart and listed once."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>"
    ]
    for group, about in GROUPS.items():
        mine = [(index, one) for index, one in enumerate(series) if one.query.metric.group == group]
        if not mine:
            continue
        parts.append(f"<h2>{escape(group)} <small>{escape(about)}</small></h2><div class=charts>")
        for index, one in mine:
            caption = escape(name(one))
            told = f"{one.query.metric.unit}: {one.query.metric.tells}"
            parts.append(
                f"<figure><figcaption>{caption} <small>{escape(told)}</small></figcaption>"
            )
            shown = (lambda of: lambda value: number(of, value))(one)
            parts += _svg(one, shown, thresholds.get(index), marks)
            parts.append("</figure>")
        parts.append("</div>")
    if marks:
        items = "".join(
            f"<li>{mark.at:%Y-%m-%d %H:%M:%S}Z {escape(mark.text)}</li>" for mark in marks
        )
        parts.append(f"<h2>What happened</h2><ul>{items}</ul>")
    return "\n".join(parts) + "\n</html>\n"


def _svg(
    series: Series,
    number: Callable[[float], str],
    threshold: float | None,
    marks: Sequence[Mark],
) -> Iterator[str]:
    values, over = series.scaled, series.window
    known = [value for value in values if value is not None]
    top = max([*known, *([threshold] if threshold is not None else [])], default=0.0) or 1.0
    wide, tall = _WIDTH - _LEFT, _HEIGHT - _BELOW - 8

    def x(index: float) -> float:
        return round(_LEFT + (index + 0.5) / max(1, len(values)) * wide, 1)

    def y(value: float) -> float:
        return round(8 + tall - max(0.0, value) / top * tall, 1)

    yield f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img">'
    for value in (0.0, top / 2, top):
        yield f'<line class=axis x1="{_LEFT}" x2="{_WIDTH}" y1="{y(value)}" y2="{y(value)}"/>'
        label = escape(number(value))
        yield f'<text x="{_LEFT - 6}" y="{y(value) + 4}" text-anchor="end">{label}</text>'
    if threshold is not None:
        at = y(threshold)
        yield f'<line class=limit x1="{_LEFT}" x2="{_WIDTH}" y1="{at}" y2="{at}"/>'
    length = (over.end - over.start).total_seconds()
    for mark in marks:
        if over.start <= mark.at < over.end:
            at = round(_LEFT + (mark.at - over.start).total_seconds() / length * wide, 1)
            yield (
                f'<line class=mark x1="{at}" x2="{at}" y1="8" y2="{8 + tall}">'
                f"<title>{escape(mark.text)}</title></line>"
            )
    for run in _runs(values):
        if len(run) == 1:
            [(index, value)] = run
            yield f'<circle class=dot cx="{x(index)}" cy="{y(value)}" r="2"/>'
        else:
            points = " ".join(f"{x(index)},{y(value)}" for index, value in run)
            yield f'<polyline class=line points="{points}"/>'
    if not known:
        yield f'<text x="{_LEFT + wide / 2}" y="{8 + tall / 2}" text-anchor="middle">no data</text>'
    for moment, anchor, place in ((over.start, "start", _LEFT), (over.end, "end", _WIDTH)):
        time = f"{moment:%m-%d %H:%M}Z"
        yield f'<text x="{place}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{time}</text>'
    yield "</svg>"


def _runs(values: Sequence[float | None]) -> Iterator[list[tuple[int, float]]]:
    """Points without a gap between them: a line never bridges a gap."""
    run: list[tuple[int, float]] = []
    for index, value in enumerate(values):
        if value is None:
            if run:
                yield run
            run = []
        else:
            run.append((index, value))
    if run:
        yield run
