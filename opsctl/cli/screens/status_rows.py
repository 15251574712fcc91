"""The rows of the status screen: each part of a snapshot as marks and words."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from opsctl.cause.telling import short_image, steady
from opsctl.cli.screens.releases import OUTCOMES
from opsctl.cli.screens.words import age, zone_word
from opsctl.plural import counted
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Part, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.snapshot.targets import Target
from opsctl.snapshot.tasks import Task

Mark = Literal["●", "◐", "✗", "○"]
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
    """A row. `parts` are what it is made from; when none could be read, it says so."""

    label: str
    parts: tuple[Part, ...]
    items: Callable[[Snapshot], Iterator[Item]]


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
        if now.output("ecs", "ServiceName"):
            yield Item("✗", "no service")
        else:
            yield Item("○", "no service yet" if now.stack("ecs") else "no service")
        return
    blind = now.unread_part("targets") is not None and service.running >= service.desired
    mark: Mark = "●" if steady(now) or blind else "◐" if service.running else "✗"
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
    states = Counter(task.in_words for task in now.tasks if not task.is_stopped)
    running = states.pop("running", 0)
    yield Item("●" if running else "○", f"{running} running")
    for state, number in sorted(states.items()):
        yield Item("◐", f"{number} {state}")
    recent = [task for task in now.stopped if task.stopped and now.at - task.stopped < _STOPPED_IN]
    reasons = Counter(map(_why, recent))
    if recent:
        why = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common(3))
        bad = any(task.failed or task.lost for task in recent)
        yield Item("✗" if bad else "○", f"{len(recent)} stopped in 10 m ({why})")


def _why(task: Task) -> str:
    if task.lost:
        return "instance gone"
    if task.failed_health_checks:
        return "unhealthy"
    if not task.failed:
        return "by scaling"
    return f"exited {task.exit_code}" if task.exit_code is not None else "could not start"


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
    """Return how many more tasks of the primary's size fit, or None when that is not known."""
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
        yield Item("○", "none")
        return
    prefix = now.names.alarms
    muted = {name for rule in now.mute_rules for name in rule.alarms}
    for one in ringing[:2]:
        since = f" for {age(now.at, one.since)}" if one.since else ""
        silent = ", muted" if one.name in muted else ""
        yield Item("✗", f"{one.name.removeprefix(prefix)} rings{since}{silent}")
    if len(ringing) > 2:
        yield Item("✗", f"{len(ringing) - 2} more ring")
    if count := sum(one.name in muted for one in now.alarms):
        ends = [rule.until for rule in now.mute_rules]
        known = [end for end in ends if end is not None]
        until = f" until {max(known):%H:%M}Z" if len(known) == len(ends) else ""
        rules = ", ".join(sorted(rule.name for rule in now.mute_rules))
        yield Item("○", f"{count} muted{until} by {rules}")
    yield Item("●", f"{len(now.alarms) - len(ringing)} quiet")


def _release(now: Snapshot) -> Iterator[Item]:
    """Yield the ledger's newest release; without one, what ECS runs."""
    if now.releases:
        yield _newest(now.releases[-1], now)
        return
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


def _newest(release: Release, now: Snapshot) -> Item:
    """Return for example: `42 by ops · 9f3c1e2 “raise pool size” · deployed 3 m ago`"""
    mark: Mark = "◐" if release.running else "●" if release.good else "✗"
    who = f" by {release.name}" if release.name else ""
    what = release.commit[:7] or short_image(release.image)
    why = f" “{release.why}”" if release.why else ""
    word = OUTCOMES.get(release.outcome, release.outcome)
    since = "since" if release.running else ""
    ago = age(now.at, release.ended or release.begun)
    when = " ".join(filter(None, (word, since or ago, ago if since else "ago")))
    return Item(mark, " · ".join(filter(None, (f"{release.number}{who}", when, f"{what}{why}"))))


ROWS: tuple[Row, ...] = (
    Row("stacks", ("stacks",), _stacks),
    Row("service", ("service", "task_definitions"), _service),
    Row("tasks", ("tasks",), _tasks),
    Row("targets", ("targets",), _targets),
    Row("instances", ("instances", "group", "machine_images", "newest_image"), _instances),
    Row("cache", ("cache", "cache_use"), _cache),
    Row("alarms", ("alarms", "mute_rules"), _alarms),
    Row("release", ("releases",), _release),
)
