"""The whole system on one screen: at most 40 lines of 80 columns, the answer first.

Pure: a snapshot and its causes give lines. A part that was refused says so in its own line.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from opsctl.cause.cause import Cause
from opsctl.cause.telling import short_image, steady
from opsctl.cli.screens.console import Console
from opsctl.cli.screens.status_tables import instance_rows, task_rows
from opsctl.cli.screens.words import age, counted, fitted, zone_word
from opsctl.snapshot.snapshot import Part, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.snapshot.targets import Target

Mark = Literal["●", "◐", "✗", "○"]
_STYLE = {"●": "good", "◐": "warn", "✗": "bad", "○": "faint"}
WIDTH, LINES = 80, 40
_LABEL = 11
_STOPPED_IN = timedelta(minutes=10)
_REASONS = {
    "Target.FailedHealthChecks": "refused",
    "Target.Timeout": "timed out",
    "Target.ResponseCodeMismatch": "other status",
}


@dataclass(frozen=True, slots=True)
class Item:
    """A symbol and its words."""

    mark: Mark
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """`parts` are what the row is made from: when all were refused, it says that instead."""

    label: str
    parts: tuple[Part, ...]
    items: Callable[[Snapshot], Iterator[Item]]


def screen(
    now: Snapshot, causes: Sequence[Cause], console: Console, *, width: int, lines: int = LINES
) -> list[str]:
    """Every line, styled where the console is a terminal, none wider than `width`."""
    rows = [head(now, width), "", *verdict(now, causes, console, width), ""]
    if nothing(now):
        return [*rows, *_refused(now, console, width)]
    for row in ROWS:
        rows.append(_line(row, now, console, width))
    tables = [*_table(task_rows(now, width), lines - len(rows) - 6, "tasks")]
    tables += _table(instance_rows(now, width), lines - len(rows) - len(tables), "instances")
    return [*rows, *tables][:lines]


def head(now: Snapshot, width: int) -> str:
    names, who = now.names, now.identity
    account = who.account if who else "account unknown"
    region = who.region if who else names.region or "Region unknown"
    left = " · ".join(filter(None, (names.system, names.environment, account, region)))
    time = f"{now.at:%H:%M:%S} UTC"
    return f"{fitted(left, width - len(time) - 1):<{width - len(time)}}{time}"


def verdict(now: Snapshot, causes: Sequence[Cause], console: Console, width: int) -> Iterator[str]:
    """The first cause in one sentence with its command, or that nothing is wrong."""
    if wrong := elsewhere(now):
        yield from _told("✗", "wrong account:", wrong, console, width)
        return
    if nothing(now):
        yield from _told("○", "nothing here:", absence(now), console, width)
        yield f"  {console.hint('to begin: opsctl db up')}"
        return
    present = [cause for cause in causes if not cause.over]
    first = present[0] if present else None
    if first is None:
        unread = ", ".join(one.part.replace("_", " ") for one in now.unread)
        tail = f" · not readable: {unread}" if unread else ""
        yield fitted(
            f"{console.style('good', '●')} nothing wrong that can be seen{tail}", width + 9
        )
        return
    mark, words = _weight(now, first)
    yield from _told(mark, words, first.sentence, console, width)
    more = len(present) - 1
    also = f" · {counted(more, 'more cause')}" if more else ""
    yield fitted(f"  → {console.hint(first.next or 'opsctl why')}{also} · opsctl why", width)


def _weight(now: Snapshot, cause: Cause) -> tuple[Mark, str]:
    if not cause.hinders:
        return "○", "worth knowing:"
    if cause.confidence == "possible":
        return "◐", "perhaps wrong:"
    if steady(now) and cause.deployment:
        return "◐", "the last deployment failed:"
    return "✗", "wrong now:"


def elsewhere(now: Snapshot) -> str:
    """These credentials are of another account than the config names."""
    who, expected = now.identity, now.names.account
    if who is None or not expected or who.account == expected:
        return ""
    return f"these credentials are of {who.account}, the config says {expected}"


def nothing(now: Snapshot) -> bool:
    """No stack, no service: certain only where the stacks could be read."""
    return now.holds("stacks") and not any(now.stack(kind) for kind in now.stacks)


def absence(now: Snapshot) -> str:
    who, names = now.identity, now.names
    here = f" ({who.account}, {who.region})" if who else ""
    there = ", ".join(filter(None, (names.account, names.region)))
    config = f"; according to the config it is in {there}" if there else ""
    return f"no system called `{names.system}` here{here}{config}"


def _told(mark: Mark, words: str, text: str, console: Console, width: int) -> Iterator[str]:
    """Two lines at most."""
    lead = f"{mark} {words} "
    whole = fitted(text, 2 * width - len(lead) - 4)
    cut = width - len(lead)
    if len(whole) > cut:
        cut = whole.rfind(" ", 0, cut) + 1 or cut
    yield f"{console.style(_STYLE[mark], lead.rstrip())} {whole[:cut].rstrip()}"
    if rest := whole[cut:].strip():
        yield fitted(f"  {rest}", width)


def _line(row: Row, now: Snapshot, console: Console, width: int) -> str:
    refused = [now.unread_part(part) for part in row.parts]
    first = next(filter(None, refused), None)
    if first is not None and refused[0] is not None:
        items = [Item("○", f"not readable: {first.reason}")]
    else:
        items = list(row.items(now)) or [Item("○", "none")]
        if first is not None:
            items.append(Item("○", f"not readable: {first.part.replace('_', ' ')}"))
    return _joined(row.label, items, console, width)


def _joined(label: str, items: Sequence[Item], console: Console, width: int) -> str:
    """The items one after another; the last one that does not fit any more is cut."""
    line, room = f"{label:<{_LABEL}}", width - _LABEL
    for index, item in enumerate(items):
        gap = "  " if index else ""
        text = fitted(f"{item.mark} {item.text}", max(room - len(gap), 0))
        if not text.strip("… "):
            break
        room -= len(gap) + len(text)
        line += f"{gap}{console.style(_STYLE[item.mark], text[:1])}{text[1:]}"
    return line


def _refused(now: Snapshot, console: Console, width: int) -> Iterator[str]:
    for one in now.unread:
        yield fitted(f"{one.part.replace('_', ' ')}: {one.reason}", width)


def _table(rows: Sequence[str], room: int, what: str) -> Iterator[str]:
    """A blank line, the head, as many rows as there is room for, and how many more there are."""
    if len(rows) < 2 or room < 4:
        return
    yield ""
    whole = rows if len(rows) <= room - 1 else rows[: room - 2]
    yield from whole
    if rest := len(rows) - len(whole):
        yield f"…{rest} more {what}"


def _stacks(now: Snapshot) -> Iterator[Item]:
    for kind, name in now.names.stacks.items():
        state = now.stacks.get(kind)
        if state is not None:
            yield _stack(kind, state, now.at)
        elif kind in ("db", "ecs"):
            yield Item("○", f"{kind} missing ({name})")


def _stack(kind: str, state: StackState, at: datetime) -> Item:
    since = age(at, state.changed)
    if state.in_progress:
        return Item("◐", f"{kind} {state.status} {since}")
    if state.status.endswith("_FAILED") or state.status == "ROLLBACK_COMPLETE":
        return Item("✗", f"{kind} {state.status} {since}")
    if state.status == "UPDATE_ROLLBACK_COMPLETE":
        return Item("◐", f"{kind} rolled back {since}")
    return Item("●" if state.exists else "○", f"{kind} {since}")


def _service(now: Snapshot) -> Iterator[Item]:
    service, primary = now.service, now.primary
    if service is None:
        yield Item("○", "no service yet" if now.stack("ecs") else "no service")
        return
    mark: Mark = "●" if steady(now) else "◐" if service.running else "✗"
    if service.desired == 0:
        mark = "✗"
    yield Item(mark, f"{service.running} of {service.desired} tasks")
    if service.pending:
        yield Item("◐", f"{service.pending} pending")
    if primary is None:
        return
    definition = now.definition(primary.task_definition)
    image = f" · {short_image(definition.images[0])}" if definition and definition.images else ""
    rolling = primary.state == "IN_PROGRESS"
    words = f"{primary.running} of {primary.desired} new · " if rolling else ""
    since = age(now.at, primary.created)
    yield Item("◐" if rolling else "●", f"{primary.revision} {words}{since}{image}")


def _tasks(now: Snapshot) -> Iterator[Item]:
    states = Counter(task.status for task in now.tasks if not task.is_stopped)
    running = states.pop("RUNNING", 0)
    yield Item("●" if running else "○", f"{running} running")
    for state, number in sorted(states.items()):
        yield Item("◐", f"{number} {state.lower()}")
    recent = [task for task in now.stopped if task.stopped and now.at - task.stopped < _STOPPED_IN]
    reasons = Counter(_why(task.exit_code, failed=task.failed) for task in recent)
    if recent:
        why = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common(3))
        bad = any(task.failed for task in recent)
        yield Item("✗" if bad else "○", f"{len(recent)} stopped in 10 m ({why})")


def _why(code: int | None, *, failed: bool) -> str:
    if not failed:
        return "by scaling"
    return f"exited {code}" if code is not None else "could not start"


def _targets(now: Snapshot) -> Iterator[Item]:
    healthy = [target for target in now.targets if target.healthy]
    zones = {one.id: one.zone for one in now.instances}
    by_zone = Counter(
        zone_word(target.zone or zones.get(target.instance, "")) for target in healthy
    )
    where = ", ".join(f"{zone} {n}" for zone, n in sorted(by_zone.items()) if zone)
    if healthy or not now.targets:
        mark: Mark = "●" if healthy else "○"
        yield Item(mark, f"{len(healthy)} healthy{f' ({where})' if where else ''}")
    others = [target for target in now.targets if not target.healthy]
    for state in ("unhealthy", *sorted({one.state for one in others} - {"unhealthy"})):
        mine = [target for target in others if target.state == state]
        if mine:
            reasons = ", ".join(sorted({_reason(target) for target in mine} - {""}))
            mark = "✗" if state in ("unhealthy", "unused") else "◐"
            yield Item(mark, f"{len(mine)} {state}{f' ({reasons})' if reasons else ''}")


def _reason(target: Target) -> str:
    if target.state in ("initial", "draining"):
        return ""
    return _REASONS.get(target.reason, target.reason)


def _instances(now: Snapshot) -> Iterator[Item]:
    joined = [one for one in now.instances if one.takes_tasks]
    silent = [one for one in now.instances if not one.connected]
    group = now.group
    wanted = group.desired if group else len(now.instances)
    mark: Mark = "●" if joined and len(joined) >= wanted else "✗" if not joined else "◐"
    yield Item(mark if wanted else "○", f"{len(joined)} of {wanted} joined")
    if silent:
        yield Item("✗", f"{len(silent)} disconnected")
    room = _room(now)
    if room is not None:
        yield Item("●" if room else "◐", f"room for {counted(room, 'more task')}")
    yield from _image(now)


def _room(now: Snapshot) -> int | None:
    """How many more tasks of the primary's size the instances take; None when it is not known."""
    definition = now.definition(now.primary.task_definition) if now.primary else None
    if definition is None or not definition.cpu or not definition.memory:
        return None
    return sum(
        min(one.cpu // definition.cpu, one.memory // definition.memory)
        for one in now.instances
        if one.takes_tasks and not one.ports & definition.host_ports
    )


def _image(now: Snapshot) -> Iterator[Item]:
    ecs = now.stack("ecs")
    current = ecs.value("AmiId") if ecs else ""
    created = min((one.created for one in now.machine_images if one.created), default=None)
    newer = bool(now.newest_image and current and current != now.newest_image)
    if created or newer:
        old = f"image {age(now.at, created)} old" if created else "image"
        yield Item("◐" if newer else "●", old + (", newer is out" if newer else ""))


def _cache(now: Snapshot) -> Iterator[Item]:
    cache, use = now.cache, now.cache_use
    if cache is None:
        yield Item("✗" if now.stack("db") else "○", "no cache")
        return
    yield Item("●" if cache.status == "available" else "◐", cache.status or "state unknown")
    yield Item("●", f"{cache.engine} {cache.version}".strip() or cache.kind)
    if use is not None and use.memory is not None:
        yield Item("◐" if use.memory > 80 else "●", f"{use.memory:.0f} % memory")
    if use is not None and use.connections is not None:
        yield Item("●", f"{use.connections:.0f} connections")
    if cache.pending:
        yield Item("◐", f"pending: {', '.join(cache.pending)}")


def _alarms(now: Snapshot) -> Iterator[Item]:
    ringing = [one for one in now.alarms if one.rings]
    if not now.alarms:
        yield Item("○", "none: opsctl alarms up" if now.stack("ecs") else "none")
        return
    prefix = now.names.alarms
    for one in ringing[:2]:
        since = f" for {age(now.at, one.since)}" if one.since else ""
        yield Item("✗", f"{one.name.removeprefix(prefix)} rings{since}")
    if len(ringing) > 2:
        yield Item("✗", f"{len(ringing) - 2} more ring")
    yield Item("●", f"{len(now.alarms) - len(ringing)} quiet")


def _release(now: Snapshot) -> Iterator[Item]:
    """What runs, by ECS; the ledger's number and author belong here once there is a ledger."""
    primary = now.primary
    definition = now.definition(primary.task_definition) if primary else None
    if primary is None or definition is None or not definition.images:
        yield Item("○", "none yet")
        return
    held = {one.reference: one for one in now.registry_images}
    image = held.get(definition.images[0])
    tags = ", ".join(image.tags[:2]) if image else ""
    pushed = f", pushed {age(now.at, image.pushed)} ago" if image and image.pushed else ""
    gone = image is not None and not image.held
    words = tags or short_image(definition.images[0])
    yield Item("✗" if gone else "●", words + (": not in the registry" if gone else pushed))


ROWS: tuple[Row, ...] = (
    Row("stacks", ("stacks",), _stacks),
    Row("service", ("service", "task_definitions"), _service),
    Row("tasks", ("tasks",), _tasks),
    Row("targets", ("targets",), _targets),
    Row("instances", ("instances", "group", "machine_images", "newest_image"), _instances),
    Row("cache", ("cache", "cache_use"), _cache),
    Row("alarms", ("alarms",), _alarms),
    Row("release", ("service", "task_definitions", "registry_images"), _release),
)
EXITS = {"healthy": 0, "degraded": 10, "unknown": 11}


def health(now: Snapshot, causes: Sequence[Cause]) -> tuple[str, str]:
    """`healthy`, `degraded` or `unknown`, and why in one sentence.

    A deployment that failed and was rolled back leaves a healthy service.
    """
    if wrong := elsewhere(now):
        return "unknown", wrong
    if nothing(now):
        return "unknown", absence(now)
    blind = [part for part in ("stacks", "service", "targets") if now.unread_part(part)]
    if blind:
        return "unknown", f"not readable: {', '.join(blind)}"
    service = now.service
    troubles = list(_troubles(now))
    first = next((cause for cause in causes if not cause.over and cause.hinders), None)
    if service is None:
        return "degraded", "there is no service"
    if troubles:
        why = f": {first.sentence}" if first and first.confidence != "possible" else ""
        return "degraded", f"{', '.join(troubles)}{why}"
    words = f"{service.running} of {service.desired} tasks run, {now.healthy} targets are healthy"
    return "healthy", words


def _troubles(now: Snapshot) -> Iterator[str]:
    service = now.service
    if service is not None:
        if service.desired == 0:
            yield "the service is set to 0 tasks"
        if service.running < service.desired:
            yield f"{service.running} of {service.desired} tasks run"
        if service.target_groups and now.healthy < service.desired:
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
