"""Turn what happens in AWS into events in the same time line as the log lines. Pure.

A service event, a task that starts or stops, a target whose health changes, a stack event, an alarm
that changes its state, a release: the event's source is the kind, and its stream is what it
happened to.
"""

from collections.abc import Iterator
from datetime import datetime

from opsctl.logs.events import LogEvent
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.tasks import Task

KINDS = ("service", "task", "target", "stack", "alarm", "release")
BAD = "✗ "  # marks what is bad, so that nothing is said by colour alone


def aws_events(before: Snapshot | None, now: Snapshot) -> list[LogEvent]:
    """Return all events of the snapshot `now`, in order of time; their ids identify repeated ones.

    AWS keeps no history of health, so a target gives an event when it differs from `before`, the
    last snapshot that holds the targets.
    """
    events = [
        *_service(now),
        *(event for task in now.tasks for event in _task(task)),
        *(_targets(before, now) if before and now.holds("targets") else ()),
        *_stacks(now),
        *_alarms(now),
        *(event for release in now.releases for event in _release(release)),
    ]
    return sorted(events)


def event(kind: str, subject: str, moment: datetime, text: str, *, key: str = "") -> LogEvent:
    timestamp = int(moment.timestamp() * 1000)
    return LogEvent(timestamp, timestamp, kind, subject, key or f"{kind} {subject} {text}", text)


def _service(now: Snapshot) -> Iterator[LogEvent]:
    if now.service is None:
        return
    for one in now.service.events:
        if one.time is not None:
            # Without the ids of tasks: each task has its own line.
            text = one.sentence.removeprefix(f"(service {now.service.name}) ")
            bad = BAD if "unable" in text or "unhealthy" in text or "failed" in text else ""
            yield event("service", now.service.name, one.time, bad + text, key=one.id)


def _task(task: Task) -> Iterator[LogEvent]:
    revision = task.task_definition.rpartition("/")[2]
    if task.started is not None:
        where = f" in {task.zone}" if task.zone else ""
        yield event("task", task.id, task.started, f"runs {revision}{where}")
    if task.stopped is not None:
        bad = BAD if task.failed else ""
        yield event("task", task.id, task.stopped, f"{bad}stopped: {task.why}")


def _targets(before: Snapshot, now: Snapshot) -> Iterator[LogEvent]:
    known = {target.id: target for target in before.targets}
    for target in now.targets:
        old = known.pop(target.id, None)
        if old is not None and old.state == target.state:
            continue
        bad = BAD if target.state == "unhealthy" else ""
        was = f"{old.state} → " if old else ""
        text = f"{bad}{was}{target.in_words}"
        yield event("target", target.id, now.at, text, key=f"{target.id} {now.at} {text}")
    for gone in known.values():
        text = f"{gone.state} → deregistered"
        yield event("target", gone.id, now.at, text, key=f"{gone.id} {now.at}")


def _stacks(now: Snapshot) -> Iterator[LogEvent]:
    for one in now.stack_events:
        bad = BAD if one.failed or "ROLLBACK" in one.status else ""
        reason = f": {one.reason}" if one.reason else ""
        what = "" if one.is_stack else f" {one.logical_id}"
        yield event("stack", one.stack, one.time, f"{bad}{one.status}{what}{reason}", key=one.id)


def _alarms(now: Snapshot) -> Iterator[LogEvent]:
    for change in now.alarm_changes:
        bad = BAD if change.after == "ALARM" else ""
        name = change.name.removeprefix(now.names.alarms)
        text = f"{bad}{change.before} → {change.after}: {change.reason}"
        yield event("alarm", name, change.time, text, key=f"{name} {change.time} {change.after}")


def _release(release: Release) -> Iterator[LogEvent]:
    subject = str(release.number)
    image = (release.digest or release.image)[:19]
    by = f" by {release.name}" if release.name else ""
    yield event("release", subject, release.begun, f"began{by}, image {image}")
    if release.ended is not None:
        reason = f": {release.reason}" if release.reason else ""
        bad = "" if release.good else BAD
        yield event("release", subject, release.ended, f"{bad}{release.outcome}{reason}")
