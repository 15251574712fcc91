"""Describe an alarm: when it goes off, which points decide its state, how gaps count. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from opsctl.alarms.catalogue import Alarm, Missing
from opsctl.alarms.watched import Watched
from opsctl.config.duration import format_duration
from opsctl.metrics.series import Series
from opsctl.snapshot.mute_rules import MuteRule

_MEANS: Mapping[Missing, str] = {
    "breaching": "counts as bad",
    "notBreaching": "counts as good",
    "missing": "does not count; without any data the state is INSUFFICIENT_DATA",
    "ignore": "keeps the state as it is",
}
_MOST = 5  # values in one sentence


def condition(alarm: Alarm) -> str:
    period, whole = (
        format_duration(timedelta(seconds=alarm.period * many)) for many in (1, alarm.periods)
    )
    some = f"in {alarm.points} of {alarm.periods} periods of {period}"
    when = some if alarm.points < alarm.periods else f"for {whole}, by periods of {period}"
    statistic = f"{alarm.statistic} of {alarm.metric}"
    return f"{statistic} {alarm.comparison} {alarm.threshold:g} {when}"


def gaps(alarm: Alarm) -> str:
    return f"a period without data {_MEANS[alarm.missing]}: {alarm.because}"


def muted(rules: Sequence[MuteRule], now: datetime) -> str:
    """Return until when they mute it, by the rule that lasts longest; '' without a rule."""
    if not rules:
        return ""
    first = rules[0]
    if first.until is None:
        return f"by `{first.name}` ({first.schedule})"
    day = "" if first.until.date() == now.date() else f"{first.until:%Y-%m-%d} "
    return f"until {day}{first.until:%H:%M}Z by `{first.name}`"


def points(one: Watched, series: Series) -> str:
    """Describe the newest data points that an evaluation looks at."""
    if series.failed:
        return f"CloudWatch did not return the points: {series.status}"
    rule = one.rule
    recent = rule.recent(series.points, rule.periods)
    real = [point for point in recent if point is not None]
    bad = sum(rule.breaches(point) for point in real)
    sign = f"{rule.comparison} {rule.threshold:g}"
    clauses = []
    if real:
        values = ", ".join(f"{point:g}" for point in real[-_MOST:])
        more = "…, " if len(real) > _MOST else ""
        clauses.append(f"{bad} of {len(real)} points {sign} ({more}{values})")
    if missing := len(recent) - len(real):
        clauses.append(
            f"{missing} of the last {len(recent)} had no data, which {_short(one.alarm)}"
        )
    return "; ".join(clauses)


def _short(alarm: Alarm) -> str:
    return _MEANS[alarm.missing].partition(";")[0]
