"""Show releases: the history, one release, differences, the target of a rollback."""

import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TypeAlias

from opsctl.cli.screens.console import Console, printable
from opsctl.cli.screens.screen import Screen
from opsctl.config.duration import format_duration
from opsctl.releases import difference
from opsctl.releases.difference import Changed, Difference
from opsctl.releases.history import ReleaseHistory
from opsctl.releases.ledger import ReleaseOpened
from opsctl.releases.target import Target
from opsctl.snapshot.releases import Release

Row: TypeAlias = tuple[str, ...]
# Printed by `update-tasks` and `diff` when the live service is up to date.
SAME = "nothing changed: these tasks already run, and are healthy"
_HEADER = ("N", "WHEN", "WHO", "IMAGE", "OUTCOME", "TOOK", "WHAT CHANGED")
_NARROWEST = 12  # least columns of the last cell, which shrinks first
_LINES = 20
OUTCOMES = {
    "deployed": "deployed",
    "deployed-unhealthy": "unhealthy",
    "rolled-back": "rolled back",
    "running": "rolling",
}


class ReleasesScreen(Screen):
    """With `data` a difference goes to stdout, because `diff` asked for it."""

    def __init__(self, console: Console, *, data: bool = False) -> None:
        self._console = console
        self._data = data
        self._print = console.data if data and not console.json else console.say

    def show(self, item: object) -> bool:
        if isinstance(item, Difference):
            self._difference(item)
        elif isinstance(item, ReleaseOpened):
            self._opened(item.release)
        elif isinstance(item, Target):
            self._target(item)
        else:
            return False
        return True

    def _difference(self, difference: Difference) -> None:
        self._console.emit(
            "difference",
            before=difference.before,
            after=difference.after,
            same=difference.is_empty,
            changes=[asdict(change) for change in difference.changes],
        )
        if not difference.changes:
            if self._data:
                self._print(SAME if difference.after == "this directory" else "nothing differs")
            return
        self._print(f"{difference.before} -> {difference.after}")
        self._changes(difference.changes)

    def _changes(self, changes: Iterable[Changed]) -> None:
        topic = ""
        for change in changes:
            shown = "" if change.topic == topic else _TOPICS.get(change.topic, change.topic)
            topic = change.topic
            self._print(f"  {shown:<11} {printable(change.text)}")
            for line in change.lines[:_LINES]:
                style = {"+": "good", "-": "bad"}.get(line[:1], "faint")
                self._print(f"  {'':<12}{self._console.style(style, printable(line))}")
            if len(change.lines) > _LINES:
                self._print(f"  {'':<12}… and {len(change.lines) - _LINES} more")

    def _opened(self, release: Release) -> None:
        self._console.emit("release_opened", number=release.number, image=release.image)
        back = f", back to {release.back_to}" if release.back_to else ""
        count = f"{release.desired} tasks" if release.desired != 1 else "1 task"
        self._console.say(
            f"release {release.number}{back}: image {difference.short(release.digest)}, {count}"
        )

    def _target(self, target: Target) -> None:
        release = target.release
        self._console.emit(
            "rollback",
            to=release.number or None,
            image=release.image,
            running=target.running.number if target.running else None,
            stays=[asdict(change) for change in target.stays],
        )
        at = f" (release {target.running.number} runs)" if target.running else ""
        about = ", ".join(filter(None, (_when(release), _commit(release), _outcome(release))))
        self._console.say(
            f"back to {target.name}{at}: image {difference.short(release.digest)}"
            + (f"; {about}" if release.number else "")
        )
        if release.number and not release.good:
            why = release.reason or _outcome(release)
            self._console.warn(f"release {release.number} was not good: {why}")
        if target.stays:
            self._print("changed since then, and not reverted:")
            self._changes(target.stays)


_TOPICS = {"base": "base image", "unread": "not readable"}


def show_history(console: Console, history: ReleaseHistory) -> None:
    """Show one row per release, newest first; the running one is marked."""
    rows: list[Row] = []
    for release in history.releases:
        runs = history.running is not None and release.number == history.running.number
        console.emit("history", **fields(release, running=runs))
        rows.append(
            (
                str(release.number),
                when(release.begun, history.at),
                release.name or "-",
                _image(release),
                _outcome(release, runs=runs),
                _took(release.took),
                _changed(release),
            )
        )
    if console.json:
        return
    if not rows:
        console.say(console.hint("no release yet; the first one: opsctl update-tasks"))
        return
    console.table(_HEADER, _fitting(rows))
    if history.live:
        console.warn(f"what is live differs: {history.live}")


def show_release(console: Console, history: ReleaseHistory) -> None:
    """Show everything about one release."""
    for release in history.releases:
        runs = history.running is not None and release.number == history.running.number
        console.emit("history", **fields(release, running=runs))
        if console.json:
            continue
        for name, value in _rows(release, runs=runs):
            console.data(f"{name:<16}{value}")
        if runs and history.live:
            console.warn(f"what is live differs: {history.live}")


def fields(release: Release, *, running: bool) -> dict[str, object]:
    """Return a release as JSON: everything in the ledger, and whether it runs."""
    kept = {name: value for name, value in asdict(release).items() if name not in _INTERNAL}
    took = release.took
    return {
        **kept,
        "live": running,
        "good": release.good,
        "seconds": took.total_seconds() if took else None,
        "back_to": release.back_to or None,
    }


_INTERNAL = ("token", "process", "caddyfile_text")


def _rows(release: Release, *, runs: bool) -> Iterable[tuple[str, str]]:
    took = f", took {_took(release.took)}" if release.took else ""
    yield "release", f"{release.number}{' ● running' if runs else ''}"
    yield "outcome", f"{_outcome(release)}{f': {release.reason}' if release.reason else ''}{took}"
    yield "begun", f"{release.begun:%Y-%m-%d %H:%M:%S} UTC"
    yield "by", f"{release.who or '-'}{f' on {release.host}' if release.host else ''}"
    yield from _some("command", release.command)
    yield from _some("why", release.why)
    yield from _some("environment", release.environment)
    yield "commit", difference.commit(release)
    yield "image", release.image
    yield from _some("replaced", release.before)
    yield from _some("back to", str(release.back_to or ""))
    yield from _some("changed", ", ".join(release.changed))
    yield from _some("base image", release.base)
    yield from _some("Caddyfile", release.caddyfile[:12])
    yield from _some("config", release.config[:12])
    yield from _some("variables", ", ".join(sorted(release.variables)))
    for reference, version in sorted(release.secrets.items()):
        yield "secret", f"{reference}  version {version or 'none'}"
    yield "tasks", f"{release.desired} of {release.cpu} CPU units, {release.memory} MiB"
    yield from _some("task definition", release.definition)
    yield from _some("stack operation", release.operation)


def _some(name: str, value: str) -> Iterable[tuple[str, str]]:
    if value:
        yield name, value


def when(time: datetime, now: datetime) -> str:
    """Return `14:06 today`, `Mon 09:12` or `12 Nov 17:40`, in UTC as all other times."""
    days = (now.date() - time.date()).days
    if days == 0:
        return f"{time:%H:%M} today"
    return f"{time:%a %H:%M}" if 0 < days < 7 else f"{time:%d %b %H:%M}"


def _when(release: Release) -> str:
    return f"{release.begun:%d %b %H:%M} UTC"


def _commit(release: Release) -> str:
    return f"commit {difference.commit(release)}" if release.commit else ""


def _outcome(release: Release, *, runs: bool = False) -> str:
    word = OUTCOMES.get(release.outcome, release.outcome)
    if release.running:
        return f"◐ {word}"
    return "● running" if runs and release.good else word


def _image(release: Release) -> str:
    if release.back_to:
        return f"{release.back_to}'s"
    if release.commit:
        return f"{release.commit[:7]}{'+' if release.dirty else ''}"
    return release.digest.partition(":")[2][:7] or "-"


def _changed(release: Release) -> str:
    if release.back_to:
        return f"back to {release.back_to}"
    return ", ".join(release.changed) or release.why


def _took(took: timedelta | None) -> str:
    return format_duration(timedelta(seconds=round(took.total_seconds()))) if took else "-"


def _fitting(rows: Sequence[Row]) -> list[Row]:
    """Cut rows to the terminal's width; files and pipes get them whole."""
    if not sys.stdout.isatty():
        return list(rows)
    columns = list(zip(_HEADER, *rows, strict=True))[:-1]
    others = sum(max(map(len, column)) + 2 for column in columns)
    room = max(shutil.get_terminal_size().columns - others, _NARROWEST)
    return [(*row[:-1], _cut(row[-1], room)) for row in rows]


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"
