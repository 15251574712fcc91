"""Write an incident as one self-contained HTML page: causes, time line, charts. No scripts."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import escape
from importlib import resources

from opsctl.cause.cause import Cause
from opsctl.metrics.panels import runs
from opsctl.plural import counted
from opsctl.recording import RecordedSeries
from opsctl.snapshot.redact import redact
from opsctl.timeline import LANES, Moment

_WIDTH, _LANE, _LEFT = 1000, 26, 90
_CHART = 90
_MOST = 600  # rows of the time line; bad ones are never left out
_MARK = {"certain": "✗", "likely": "◐", "possible": "○"}


def page(
    *,
    title: str,
    at: datetime,
    causes: Sequence[Cause],
    moments: Sequence[Moment],
    series: Sequence[RecordedSeries],
    looked_at: str,
    versions: str,
) -> str:
    """Return the page. Texts of others are escaped, and secrets in them masked."""
    body = [
        f"<header><h1>{_text(title)}</h1><p>{at:%Y-%m-%d %H:%M:%S} UTC · {_text(looked_at)}</p>"
        "</header>",
        *_causes(causes),
        *_overview(moments),
        *_charts(series, moments),
        *_rows(moments),
        f"<footer>{_text(versions)}</footer>",
    ]
    style = resources.files(__package__).joinpath("incident.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{_text(title)}</title><style>{style}</style></head><body>"
        + "\n".join(body)
        + "</body></html>\n"
    )


def _causes(causes: Sequence[Cause]) -> Iterator[str]:
    yield '<section id="causes"><h2>Causes</h2>'
    if not causes:
        yield "<p>Nothing wrong that can be seen.</p>"
    for number, cause in enumerate(causes, 1):
        sure = "over" if cause.over else cause.confidence
        yield (
            f'<article class="{sure}"><h3>{number} <span class="sure">'
            f"{_MARK[cause.confidence]} {sure}</span> {_text(cause.sentence)}</h3>"
            f'<p class="id">{_text(cause.id)}</p><ul>'
        )
        for one in cause.evidence:
            time = f"<time>{one.time:%H:%M:%S}</time> " if one.time else ""
            yield f"<li>{time}<b>{_text(one.source)}</b> {_text(one.quote)}</li>"
        yield f"</ul>{f'<p class=next>→ {_text(cause.next)}</p>' if cause.next else ''}</article>"
    yield "</section>"


def _overview(moments: Sequence[Moment]) -> Iterator[str]:
    """Draw a lane for each kind, and a mark for each moment."""
    if len(moments) < 2:
        return
    first, last = _window(moments)
    height = _LANE * len(LANES) + 24
    yield '<section id="overview"><h2>Overview</h2>'
    yield f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="what happened when">'
    for index, lane in enumerate(LANES):
        y = index * _LANE + 16
        yield f'<text x="0" y="{y + 4}">{lane}</text>'
        yield f'<line class="lane" x1="{_LEFT}" x2="{_WIDTH}" y1="{y}" y2="{y}"/>'
    for moment in moments:
        if not first <= moment.at <= last:
            continue
        x, y = _x(moment.at, first, last), LANES.index(moment.lane) * _LANE + 16
        shape = (
            f'<path class="bad" d="M{x - 5:.1f} {y - 5}l10 10m0 -10l-10 10"/>'
            if moment.bad
            else f'<circle cx="{x:.1f}" cy="{y}" r="3.5"/>'
        )
        label = f"{moment.at:%H:%M:%S} {moment.text}"
        yield f"<g>{shape}<title>{_text(label)}</title></g>"
    yield from _axis(first, last, height - 4)
    yield "</svg></section>"


def _charts(series: Sequence[RecordedSeries], moments: Sequence[Moment]) -> Iterator[str]:
    drawn = [one for one in series if any(point is not None for point in one.points)]
    if not drawn:
        return
    yield '<section id="charts"><h2>Metrics</h2><div class="charts">'
    bad = [moment.at for moment in moments if moment.bad]
    for one in drawn:
        yield from _chart(one, bad[:1])
    yield "</div></section>"


def _chart(one: RecordedSeries, marks: Sequence[datetime]) -> Iterator[str]:
    known = [point for point in one.points if point is not None]
    low, high = min(known), max(known)
    # A constant value is a line in the middle.
    low, span = (low, high - low) if high > low else (low - 0.5, 1.0)
    end = one.start + timedelta(seconds=one.period * len(one.points))
    yield f"<figure><figcaption>{_text(one.name)} <small>{_text(one.unit)}</small></figcaption>"
    yield f'<svg viewBox="0 0 400 {_CHART}" role="img" aria-label="{_text(one.name)}">'
    for run in runs(one.points):
        at = " ".join(
            f"{40 + 355 * index / max(len(one.points) - 1, 1):.1f},"
            f"{8 + (_CHART - 26) * (1 - (value - low) / span):.1f}"
            for index, value in run
        )
        yield f'<polyline points="{at}"/>'
        if len(run) == 1:
            left, top = at.split(",")
            yield f'<circle cx="{left}" cy="{top}" r="2"/>'
    for mark in marks:
        if one.start <= mark <= end:
            x = 40 + 355 * ((mark - one.start) / (end - one.start))
            yield f'<line class="bad" x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{_CHART - 16}"/>'
    yield f'<text x="0" y="14">{_number(high)}</text>'
    yield f'<text x="0" y="{_CHART - 18}">{_number(min(known))}</text>'
    yield f'<text x="40" y="{_CHART - 2}">{one.start:%H:%M}</text>'
    yield f'<text class="end" x="395" y="{_CHART - 2}">{end:%H:%M}</text></svg></figure>'


def _rows(moments: Sequence[Moment]) -> Iterator[str]:
    shown = list(moments)
    if len(shown) > _MOST:
        others = [one for one in moments if not one.bad][-_MOST:]
        shown = sorted([*(one for one in moments if one.bad), *others], key=lambda one: one.at)
    yield '<section id="timeline"><h2>Time line</h2>'
    if rest := len(moments) - len(shown):
        yield f"<p>{rest} earlier moments are left out.</p>"
    if shown:
        first, last = _window(moments)
        before = [one for one in shown if one.at < first]
        if before:
            yield f"<details><summary>{counted(len(before), 'earlier moment')}</summary>"
            yield from _table(before, last)
            yield "</details>"
        yield from _table(shown[len(before) :], last)
    yield "</section>"


def _table(moments: Sequence[Moment], last: datetime) -> Iterator[str]:
    yield "<table><tbody>"
    for one in moments:
        mark = "✗" if one.bad else ""
        day = "" if one.at.date() == last.date() else f"{one.at:%Y-%m-%d} "
        yield (
            f'<tr class="{one.lane}{" bad" if one.bad else ""}"><td><time>{day}{one.at:%H:%M:%S}'
            f"</time></td><td>{one.lane}</td><td>{mark}</td><td>{_text(one.text)}</td></tr>"
        )
    yield "</tbody></table>"


def _axis(first: datetime, last: datetime, y: int) -> Iterator[str]:
    for step in range(6):
        at = first + (last - first) * step / 5
        anchor = "end" if step == 5 else "start" if step == 0 else "middle"
        yield f'<text class="{anchor}" x="{_x(at, first, last):.1f}" y="{y}">{at:%H:%M:%S}</text>'


def _x(at: datetime, first: datetime, last: datetime) -> float:
    span = (last - first) or timedelta(seconds=1)
    return _LEFT + (_WIDTH - _LEFT - 8) * ((at - first) / span)


def _window(moments: Sequence[Moment]) -> tuple[datetime, datetime]:
    """Return the command's window, if there was one: an instance may have joined days before."""
    commands = [moment.at for moment in moments if moment.lane == "command"]
    last = moments[-1].at
    first = min(commands, default=max(moments[0].at, last - timedelta(hours=1)))
    return first - timedelta(seconds=2), last


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _text(text: str) -> str:
    return escape(redact(text), quote=True)
