"""The whole system on one screen: at most 40 lines of 80 columns, the answer first.

A snapshot and its causes give lines. A part that could not be read says so in its line.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence

from opsctl.aws.failed_calls import DENIED
from opsctl.cause.calls import OF_THE_WAY
from opsctl.cause.cause import Cause
from opsctl.cause.telling import steady
from opsctl.cli.screens import causes as causing
from opsctl.cli.screens.console import Console
from opsctl.cli.screens.status_rows import ROWS, Item, Mark, Row
from opsctl.cli.screens.status_tables import instance_rows, task_rows
from opsctl.cli.screens.words import columns, fitted, fitting, padded, step
from opsctl.outcome import DEGRADED, UNKNOWN
from opsctl.plural import counted
from opsctl.snapshot import record
from opsctl.snapshot.snapshot import Snapshot, Unread

_STYLE = {"●": "good", "◐": "warn", "✗": "bad", "○": "faint"}
WIDTH, LINES = 80, 40
_LABEL = 11
_ROWS = 17  # lines of head, verdict and rows at most
_INSTANCES = 6  # lines that are kept for their table


def show(
    console: Console,
    now: Snapshot,
    causes: Sequence[Cause],
    region: str,
    *,
    in_place: bool = False,
) -> None:
    """Print the screen; on a terminal, `in_place` overwrites the previous one."""
    if console.json:
        _emit(console, now, causes)
        return
    size = shutil.get_terminal_size((WIDTH, LINES))
    width = min(max(size.columns, 60), 120)
    on_terminal = sys.stdout.isatty()
    # The cursor needs a line of its own below the screen. Without `in_place` no row is cut off.
    tall = min(LINES, max(size.lines - 1, 5 if in_place else _ROWS)) if on_terminal else LINES
    lines = screen(now, causes, console, width=width, lines=tall, region=region)
    if in_place and on_terminal and not console.plain:
        console.in_place(lines)
        return
    for line in lines:
        console.data(line.rstrip())


def show_part(console: Console, now: Snapshot, labels: Sequence[str]) -> None:
    """Print some rows of the screen, for the commands about them."""
    for line in part(now, labels, console, width=WIDTH):
        console.data(line.rstrip())


def show_health(console: Console, now: Snapshot, causes: Sequence[Cause]) -> int:
    """Print one line, and return the exit code."""
    word, sentence = health(now, causes)
    console.emit("health", health=word, reason=sentence)
    if not console.json:
        console.data(f"{word}: {sentence}")
    return EXITS[word]


def _emit(console: Console, now: Snapshot, causes: Sequence[Cause]) -> None:
    console.emit(
        "status",
        health=health(now, causes)[0],
        causes=[cause.id for cause in causes],
        snapshot=record.to_json(now),
    )
    for number, cause in enumerate(causes, 1):
        causing.emit(console, cause, number)


def screen(
    now: Snapshot,
    causes: Sequence[Cause],
    console: Console,
    *,
    width: int,
    lines: int = LINES,
    region: str = "",
) -> list[str]:
    """Return every line, styled for a terminal, none wider than `width`.

    `region` is where AWS was called, although it may not have answered.
    """
    rows = [head(now, width, region), "", *verdict(now, causes, console, width), ""]
    if nothing(now):
        return [*rows, *_refused(now, console, width)]
    for row in ROWS:
        rows.append(_line(row, now, console, width))
    tasks, instances = task_rows(now, width), instance_rows(now, width)
    room = lines - len(rows)
    tables = [*_table(tasks, max(room - min(len(instances) + 1, _INSTANCES), 1), "task")]
    tables += _table(instances, room - len(tables), "instance")
    return [*rows, *tables][:lines]


def part(now: Snapshot, labels: Sequence[str], console: Console, *, width: int) -> list[str]:
    """Return some rows of the screen, for the commands about them."""
    return [_line(row, now, console, width) for row in ROWS if row.label in labels]


def head(now: Snapshot, width: int, region: str = "") -> str:
    names, who = now.names, now.identity
    account = who.account if who else "account unknown"
    region = who.region if who else region or names.region or "Region unknown"
    left = " · ".join(filter(None, (names.system, names.environment, account, region)))
    time = f"{now.at:%H:%M:%S} UTC"
    return f"{padded(fitted(left, width - len(time) - 1), width - len(time))}{time}"


def verdict(now: Snapshot, causes: Sequence[Cause], console: Console, width: int) -> Iterator[str]:
    """Yield the first cause in one sentence with its command, or that nothing is wrong."""
    if wrong := elsewhere(now):
        yield from _in_two_lines("✗", "wrong account:", wrong, console, width)
        return
    if nothing(now):
        yield from _in_two_lines("○", "nothing here:", absence(now), console, width)
        yield f"  {console.hint('to begin: opsctl db up')}"
        return
    present = [cause for cause in causes if not cause.over]
    first = present[0] if present else None
    word, sentence = health(now, causes)
    if first is None and word == "degraded":
        yield from _in_two_lines("◐", "not whole:", sentence, console, width)
        yield f"  → {console.hint(_to_make_whole(now))}"
        return
    if first is None and word == "unknown":
        yield from _in_two_lines("○", "cannot tell:", sentence, console, width)
        return
    if first is None:
        unread = ", ".join(one.part.replace("_", " ") for one in now.unread)
        tail = f" · not readable: {unread}" if unread else ""
        line = fitted(f"● nothing wrong that can be seen{tail}", width)
        yield f"{console.style('good', line[0])}{line[1:]}"
        return
    mark, words = _weight(now, first)
    if word == "unknown" and not first.hinders:
        words = "cannot tell:"
    yield from _in_two_lines(mark, words, first.sentence, console, width)
    more = len(present) - 1
    command, *rest = step(console.hint(first.next or "opsctl why"), width - 4)
    also = f" · {counted(more, 'more cause')}" if more else ""
    tails = ("",) if rest else (f"{also} · {console.hint('opsctl why')}", also, "")
    tail = next(t for t in tails if not t or columns(command + t) <= width - 4)
    # Never cut: it must be possible to paste it.
    yield f"  → {command}{tail}"
    yield from (f"    {line}" for line in rest)


def _to_make_whole(now: Snapshot) -> str:
    if now.service is not None:
        return "opsctl why"
    return "opsctl update-tasks" if now.stack("ecs") else "opsctl ecs up"


def _weight(now: Snapshot, cause: Cause) -> tuple[Mark, str]:
    if not cause.hinders:
        return "○", "worth knowing:"
    if cause.confidence == "possible":
        return "◐", "perhaps wrong:"
    if steady(now) and cause.deployment:
        return "◐", "the last deployment failed:"
    return "✗", "wrong now:"


def elsewhere(now: Snapshot) -> str:
    """Return that these credentials belong to another account than the config's, or ''."""
    who, expected = now.identity, now.names.account
    if who is None or not expected or who.account == expected:
        return ""
    return f"these credentials are of {who.account}, the config says {expected}"


def nothing(now: Snapshot) -> bool:
    """Return whether there is no stack at all, which is known only if the stacks could be read."""
    return now.holds("stacks") and not any(now.stack(kind) for kind in now.stacks)


def absence(now: Snapshot) -> str:
    who, names = now.identity, now.names
    here = f" ({who.account}, {who.region})" if who else ""
    there = ", ".join(filter(None, (names.account, names.region)))
    config = f"; according to the config it is in {there}" if there else ""
    return f"no system called `{names.system}` here{here}{config}"


def _in_two_lines(mark: Mark, words: str, text: str, console: Console, width: int) -> Iterator[str]:
    """Yield at most two lines."""
    lead = f"{mark} {words} "
    whole = fitted(text, 2 * width - len(lead) - 4)
    cut = fitting(whole, width - len(lead))
    if cut < len(whole):
        cut = whole.rfind(" ", 0, cut) + 1 or cut
    yield f"{console.style(_STYLE[mark], lead.rstrip())} {whole[:cut].rstrip()}"
    if rest := whole[cut:].strip():
        yield fitted(f"  {rest}", width)


def _line(row: Row, now: Snapshot, console: Console, width: int) -> str:
    whole = now.unread_part(row.parts[0])
    if whole is not None:
        items = [Item("○", f"not readable: {refusal(whole)}")]
    else:
        items = list(row.items(now)) or [Item("○", "none")]
        unread = [part.replace("_", " ") for part in row.parts if now.unread_part(part)]
        if unread:
            # In second place, because the end of a line that is too long is cut.
            items.insert(1, Item("○", f"not readable: {', '.join(unread)}"))
    return _joined(row.label, items, console, width)


def refusal(unread: Unread) -> str:
    """Return why a part could not be read, short enough for a line of the screen."""
    return f"{unread.operation} is denied" if unread.code in DENIED else unread.reason


def _joined(label: str, items: Sequence[Item], console: Console, width: int) -> str:
    """Return the items in one line; the last one that does not fit is cut."""
    line, room = f"{label:<{_LABEL}}", width - _LABEL
    for index, item in enumerate(items):
        gap = "  " if index else ""
        text = fitted(f"{item.mark} {item.text}", max(room - len(gap), 0))
        if not text.strip("… "):
            break
        room -= len(gap) + columns(text)
        line += f"{gap}{console.style(_STYLE[item.mark], text[:1])}{text[1:]}"
    return line


def _refused(now: Snapshot, console: Console, width: int) -> Iterator[str]:
    for one in now.unread:
        yield fitted(f"{one.part.replace('_', ' ')}: {one.reason}", width)


def _table(rows: Sequence[str], room: int, what: str) -> Iterator[str]:
    """Yield a blank line, the head, as many rows as fit, and how many are left out."""
    if len(rows) < 2 or room < 1:
        return
    if room < 4:
        yield f"…{counted(len(rows) - 1, what)}"
        return
    yield ""
    whole = rows if len(rows) <= room - 1 else rows[: room - 2]
    yield from whole
    if rest := len(rows) - len(whole):
        yield f"…{counted(rest, f'more {what}')}"


# Without these parts nobody can say that the system is healthy.
_JUDGED = {"stacks", "service", "tasks", "targets", "instances", "group", "cache", "alarms"}
EXITS = {"healthy": 0, "degraded": DEGRADED, "unknown": UNKNOWN}


def health(now: Snapshot, causes: Sequence[Cause]) -> tuple[str, str]:
    """Return (`healthy`, `degraded` or `unknown`, why in one sentence).

    A deployment that failed and was rolled back leaves a healthy service. What is known to be wrong
    comes before what could not be read; what could not be read is never healthy.
    """
    if wrong := elsewhere(now):
        return "unknown", wrong
    if nothing(now):
        return "unknown", absence(now)
    if now.blind:
        return "unknown", f"nothing can be read: {now.unread[0].reason}"
    troubles = list(_troubles(now))
    unread = [one for one in now.unread if one.part in _JUDGED]
    first = next((cause for cause in causes if not cause.over and cause.hinders), None)
    if unread and first is not None and first.id in OF_THE_WAY:
        first = None  # which says why parts could not be read, not what is wrong with the system
    if troubles:
        why = f": {first.sentence}" if first and first.confidence != "possible" else ""
        return "degraded", f"{', '.join(troubles)}{why}"
    if first is not None and first.confidence == "certain" and _concerns(now, first):
        return "degraded", first.sentence
    service = now.service
    words = f"{service.running} of {service.desired} tasks run" if service else ""
    if service and now.holds("targets"):
        words += f", {now.healthy} targets are healthy"
    if unread:
        parts = ", ".join(one.part.replace("_", " ") for one in unread)
        also = f"; {words}" if words else ""
        return "unknown", f"not readable: {parts} ({refusal(unread[0])}){also}"
    return "healthy", words


def _concerns(now: Snapshot, cause: Cause) -> bool:
    """Return whether the cause is about what serves now, not about a deployment that failed."""
    primary = now.primary
    if not cause.deployment or primary is None or primary.created is None:
        return not cause.deployment
    done = primary.state in ("COMPLETED", "")
    return done and cause.deployment == int(primary.created.timestamp())


def _troubles(now: Snapshot) -> Iterator[str]:
    service = now.service
    if service is None:
        if not now.unread_part("service"):
            yield "there is no service"
    else:
        if service.desired == 0:
            yield "the service is set to 0 tasks"
        if service.running < service.desired:
            yield f"{service.running} of {service.desired} tasks run"
        short = service.target_groups and now.healthy < service.desired
        if short and not now.unread_part("targets"):
            yield f"{now.healthy} of {service.desired} targets are healthy"
    if silent := [one for one in now.instances if not one.connected]:
        yield f"{counted(len(silent), 'agent')} disconnected"
    if now.holds("cache") and (now.cache is None or now.cache.status != "available"):
        yield f"the cache is {now.cache.status if now.cache else 'not there'}"
    if ringing := [one for one in now.alarms if one.rings]:
        yield f"{counted(len(ringing), 'alarm')} ring{'s' if len(ringing) == 1 else ''}"
    for state in now.stacks.values():
        if state.status.endswith("_FAILED") or state.status == "ROLLBACK_COMPLETE":
            yield f"`{state.name}` is {state.status}"
