"""Show alarms: their states and reasons, one alarm explained, the results of a backtest."""

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from opsctl.alarms import words
from opsctl.alarms.backtest import Played
from opsctl.alarms.trial import Rung
from opsctl.alarms.watched import Watched
from opsctl.cli.screens.console import Console
from opsctl.cli.screens.screen import Screen
from opsctl.config.duration import format_duration
from opsctl.metrics.series import Series
from opsctl.plural import counted
from opsctl.snapshot.alarms import AlarmChange
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Snapshot
from opsctl.stacks.alarms import Drift

_MARKS = {"OK": ("●", "good"), "ALARM": ("✗", "bad")}
_UNKNOWN = ("○", "warn")
_NEAR = timedelta(minutes=30)  # a release this long before an alarm may be its cause
_NEWEST = 5  # changes of state that `explain` shows
_NOT_YET = "the alarm does not exist yet: opsctl alarms up"


class AlarmsScreen(Screen):
    """Shows what a change or a test of alarms yields, apart from plan and stack events."""

    def __init__(self, console: Console, *, data: bool = False) -> None:
        self._console = console
        self._print = console.data if data and not console.json else console.say

    def show(self, item: object) -> bool:
        console = self._console
        if isinstance(item, Drift):
            console.emit("alarm_drift", name=item.name, changed=item.changed)
            self._print(f"  ! {item.name}, changed by hand: {', '.join(item.changed)}")
        elif isinstance(item, Rung):
            console.emit("alarm_test", name=item.name, to=item.to, before=item.before)
            names = ", ".join(target.rpartition(":")[2] for target in item.to)
            console.say(f"`{item.name}` rang; its message went to {names}")
        else:
            return False
        return True


def show_states(
    console: Console, alarms: Sequence[Watched], reasons: Mapping[str, str], now: datetime
) -> None:
    """Show all alarms, those in ALARM first, with a reason for each that is not OK."""
    order = {"ALARM": 0, "INSUFFICIENT_DATA": 1}
    silent = all(one.state is None or not one.state.actions for one in alarms)
    made = any(one.state is not None for one in alarms)
    if silent and made and not console.json:
        console.say("no alarm takes an action yet: the first release switches them on")
    for one in sorted(alarms, key=lambda one: order.get(_state(one), 2)):
        state, live = _state(one), one.state
        console.emit(
            "alarm",
            name=one.name,
            state=state,
            since=live.since if live else None,
            actions=live.actions if live else False,
            tells=one.alarm.tells,
            condition=words.condition(one.alarm),
            why=reasons.get(one.name, live.reason if live else ""),
            **_muted(one),
            next=one.alarm.then,
        )
        if not console.json:
            why = reasons.get(one.name) or (live.reason if live else "")
            _show_state(console, one, why, now, silent=silent)


def _show_state(console: Console, one: Watched, why: str, now: datetime, *, silent: bool) -> None:
    state, live = _state(one), one.state
    mark, style = _MARKS.get(state, _UNKNOWN)
    since = f"  for {format_duration(now - live.since)}" if live and live.since else ""
    quiet = "" if silent or live is None or live.actions else "  (takes no action)"
    line = f"{one.alarm.name}  {state}{since}{quiet}"
    tells = one.alarm.tells if state == "ALARM" else ""
    beside = tells if len(line) + len(tells) + 4 <= _width() else ""
    console.data(f"{console.style(style, mark)} {line}  {beside}".rstrip())
    if tells and not beside:
        console.data(f"    {tells}")
    if one.muted:
        console.data(f"    muted {words.muted(one.muted, now)}: it takes no action now")
    if state == "ALARM":
        console.data(f"    {why}")
        console.data(f"    → {console.hint(one.alarm.then)}")


def show_one(
    console: Console,
    one: Watched,
    series: Series | None,
    changes: Sequence[AlarmChange],
    now: Snapshot,
) -> None:
    """Show everything about one alarm."""
    points = words.points(one, series) if series else ""
    live = one.state
    near = _near(live.since if live else None, now.releases)
    _emit_one(console, one, points, changes, near)
    if console.json:
        return
    since = f" since {live.since:%Y-%m-%d %H:%M:%SZ}" if live and live.since else ""
    console.data(f"{one.name}: {_state(one)}{since}")
    rows = [
        ("tells", one.alarm.tells),
        ("rings when", words.condition(one.alarm)),
        ("gaps", words.gaps(one.alarm)),
        ("now", points or "no data was read"),
        ("CloudWatch", live.reason if live else console.hint(_NOT_YET)),
    ]
    if one.muted:
        rows.append(("muted", f"{words.muted(one.muted, now.at)}: it takes no action now"))
    elif unread := now.unread_part("mute_rules"):
        rows.append(("muted", f"not known: {unread.reason}"))
    if near is not None:
        rows.append(("release", f"{near.number} by {near.name} began {near.begun:%H:%M:%SZ}"))
    for change in changes[: -_NEWEST - 1 : -1]:
        rows.append(("history", f"{change.time:%m-%d %H:%M}Z  {change.before} → {change.after}"))
    rows.append(("next", console.hint(one.alarm.then)))
    for label, text in rows:
        for line in textwrap.wrap(text, max(20, _width() - 15)) or [""]:
            console.data(f"  {label:<11} {line}")
            label = ""


def _emit_one(
    console: Console,
    one: Watched,
    points: str,
    changes: Sequence[AlarmChange],
    near: Release | None,
) -> None:
    live = one.state
    console.emit(
        "alarm_explained",
        name=one.name,
        state=_state(one),
        since=live.since if live else None,
        tells=one.alarm.tells,
        condition=words.condition(one.alarm),
        gaps=words.gaps(one.alarm),
        points=points,
        reason=live.reason if live else "",
        changes=[{"time": one.time, "before": one.before, "after": one.after} for one in changes],
        **_muted(one),
        release=near.number if near else None,
        next=one.alarm.then,
    )


def show_played(console: Console, played: Sequence[Played], span: timedelta) -> None:
    header = ("ALARM", "RANG", "LONGEST", "IN ALL", "POINTS", "LAST")
    rows = []
    for one in played:
        console.emit(
            "alarm_backtest",
            name=one.watched.name,
            rang=[{"start": rang.start, "end": rang.end} for rang in one.rang],
            longest_seconds=one.longest,
            altogether_seconds=one.altogether,
            points=one.points,
            expected=one.expected,
            status=one.status,
        )
        times = f"{len(one.rang)}x" if one.rang else "-" if one.points else "no data"
        times = "?" if one.failed else times
        points = f"{one.points} of {one.expected}"
        last = one.rang[-1].start.strftime("%m-%d %H:%MZ") if one.rang else ""
        if one.status != "Complete":
            points = f"{points}, {one.status}"
        if one.rang and one.rang[-1].end is None:
            last = f"since {last}"
        long = [format_duration(one.longest), format_duration(one.altogether)] if one.rang else []
        rows.append((one.watched.alarm.name, times, *(long or ("", "")), points, last))
    if console.json:
        return
    if rows:
        console.table(header, rows, fit=True)
    rang = [len(one.rang) for one in played if one.rang]
    who = f"{len(rang) or 'none'} of {counted(len(played), 'alarm')} would have gone off"
    often = f", {counted(sum(rang), 'time')} in all" if rang else ""
    console.say(f"in {format_duration(span)} {who}{often}")
    if unread := sum(one.failed for one in played):
        console.warn(f"CloudWatch did not return the points of {counted(unread, 'alarm')}")


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 1000


def _muted(one: Watched) -> dict[str, object]:
    rules = one.muted
    return {
        "muted_by": None if rules is None else [rule.name for rule in rules],
        "muted_until": rules[0].until if rules else None,
    }


def _state(one: Watched) -> str:
    return one.state.state if one.state else "NOT MADE"


def _near(since: datetime | None, releases: Sequence[Release]) -> Release | None:
    """Return the newest release that began shortly before the alarm's state changed."""
    if since is None:
        return None
    near = [one for one in releases if timedelta() <= since - one.begun <= _NEAR]
    return near[-1] if near else None
