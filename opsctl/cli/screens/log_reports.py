"""Show reports on logs: an audit, lags, changes with a release."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from opsctl.cli.screens.console import Console
from opsctl.cli.screens.words import folded
from opsctl.config.duration import format_duration
from opsctl.logs.audit import Audit
from opsctl.logs.lag import Lag
from opsctl.logs.shapes import Changed

_MOST = 20  # minutes of an audit, and shapes of each kind, that are listed
_SIGNS = {"new": "+", "louder": "▲", "gone": "-", "quieter": "▼"}
_SHORT = {"warning": "warn", "critical": "crit"}


def show_audits(console: Console, audits: Sequence[Audit], start: datetime, end: datetime) -> bool:
    """Show the audits. Returns True when no source lacks a line."""
    rows = []
    for one in audits:
        console.emit(
            "audit",
            source=one.source,
            start=start,
            end=end,
            minutes=one.minutes,
            read=one.read,
            counted=one.counted,
            missing=one.missing,
            differences=[
                {"minute": row.minute, "read": row.read, "counted": row.counted}
                for row in one.differences
            ],
        )
        words = f"{one.missing:,} missing" if one.missing else "equal"
        if one.differences and not one.missing:
            words = "all there; the metric counts fewer"
        rows.append((one.source, f"{one.minutes}", f"{one.read:,}", f"{one.counted:,}", words))
    if not console.json:
        console.table(("SOURCE", "MINUTES", "READ", "COUNTED", ""), rows)
        for one in audits:
            for row in [row for row in one.differences if row.missing][:_MOST]:
                console.data(
                    f"  {one.source} {row.minute:%H:%M}Z  {row.read:,} of {row.counted:,} lines"
                )
    whole = not any(one.missing for one in audits)
    span = f"{start:%H:%M} to {end:%H:%M}Z"
    sentence = "every line that CloudWatch received can be read" if whole else "lines are missing"
    _say(console, f"{sentence}, {span}")
    return whole


def show_lags(
    console: Console, lags: Sequence[Lag], silent: Mapping[str, Sequence[str]], now: datetime
) -> None:
    rows = []
    for lag in lags:
        console.emit(
            "lag",
            source=lag.source,
            stream=lag.stream,
            id=lag.id,
            lines=lag.lines,
            p50_seconds=lag.p50 / 1000,
            p99_seconds=lag.p99 / 1000,
            longest_seconds=lag.longest / 1000,
            newest=lag.newest,
        )
        times = [_seconds(value) for value in (lag.p50, lag.p99, lag.longest)]
        age = format_duration(max(timedelta(), now - lag.newest))
        rows.append((lag.source, lag.id, f"{lag.lines:,}", *times, f"{age} ago"))
    if rows and not console.json:
        header = ("SOURCE", "TASK", "LINES", "P50", "P99", "LONGEST", "LAST LINE")
        console.table(header, rows, fit=True)
    for source, ids in silent.items():
        for id in ids:
            console.emit("lag", source=source, id=id, lines=0)
            _say(console, f"{console.style('warn', '○')} {source} {id}: runs, and said nothing")
    if not rows:
        console.say("not one line in this time")


def show_changes(console: Console, changes: Sequence[Changed], about: str) -> None:
    for change in ("new", "louder", "gone", "quieter"):
        mine = [one for one in changes if one.change == change]
        for one in mine:
            console.emit(
                "shape",
                change=change,
                source=one.shape.source,
                level=one.shape.level or None,
                shape=one.shape.text,
                before=one.before,
                after=one.after,
                example=one.example,
            )
        if console.json:
            continue
        for one in mine[:_MOST]:
            level = _SHORT.get(one.shape.level, one.shape.level).upper()
            counts = f"{one.before:,} → {one.after:,}"
            head = f"{_SIGNS[change]} {change:<7} {counts:>13}  {one.shape.source:<6} {level:<5} "
            for line in folded(head + " ".join(one.shape.text.split()), "        "):
                console.data(line)
        if len(mine) > _MOST:
            console.say(f"  and {len(mine) - _MOST} more that are {change}")
    nothing = "" if changes else ": no kind of line is new, gone, louder or quieter"
    _say(console, f"{about}{nothing}")


def _say(console: Console, text: str) -> None:
    for line in folded(text):
        console.say(line)


def _seconds(milliseconds: int) -> str:
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f}s"
    return format_duration(timedelta(seconds=milliseconds // 1000))
