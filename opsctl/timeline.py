"""What happened during an incident, in order. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from opsctl.cause.history import History
from opsctl.recording import Recording
from opsctl.snapshot.tasks import Task

Lane = Literal["command", "stack", "service", "tasks", "targets", "instances", "alarms", "log"]
LANES: tuple[Lane, ...] = (
    *("command", "stack", "service", "tasks"),
    *("targets", "instances", "alarms", "log"),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """One line. `bad` means that it may have to do with the failure."""

    at: datetime
    lane: Lane
    text: str
    bad: bool = False


def moments(history: History, recording: Recording | None) -> tuple[Moment, ...]:
    """Return all moments, oldest first, each once."""
    everything = [
        *_command(history, recording),
        *_stack(history, recording),
        *_service(history),
        *_tasks(history),
        *_targets(history, recording),
        *_instances(history),
        *_alarms(history),
        *_lines(history),
    ]
    return tuple(sorted(dict.fromkeys(everything), key=lambda one: one.at))


def _command(history: History, recording: Recording | None) -> Iterator[Moment]:
    if history.began is not None and history.command:
        yield Moment(history.began, "command", f"opsctl {history.command}")
    for item in recording.items if recording else ():
        text = str(item.fields.get("text", ""))
        if item.kind == "Answered":
            answer = "yes" if item.fields.get("answer") else "no"
            yield Moment(item.at, "command", f"{text} {answer}")
        elif item.kind in ("Notice", "Joining", "Overtaken") and text:
            yield Moment(item.at, "command", text, bool(item.fields.get("warning")))
    for failure in history.failures:
        if failure.time is not None:
            yield Moment(failure.time, "command", f"{failure.kind}: {failure.message}", True)
    if recording is not None and recording.ended is not None:
        yield Moment(recording.ended, "command", f"ended: {recording.outcome}")


def _stack(history: History, recording: Recording | None) -> Iterator[Moment]:
    seen: set[str] = set()
    for item in recording.items if recording else ():
        if item.kind == "StackEvent":
            fields = item.fields
            seen.add(str(fields.get("id", "")))
            text = f"{fields.get('logical_id')} {fields.get('status')}"
            reason = str(fields.get("reason") or "")
            failed = str(fields.get("status", "")).endswith("_FAILED")
            at = _time(fields.get("time")) or item.at
            yield Moment(at, "stack", f"{text}: {reason}" if reason else text, failed)
    for event in history.stack_events.values():
        if event.id not in seen:
            reason = f": {event.reason}" if event.reason else ""
            text = f"{event.logical_id} {event.status}{reason}"
            yield Moment(event.time, "stack", text, event.failed)


def _service(history: History) -> Iterator[Moment]:
    for event in history.service_events.values():
        if event.time is not None:
            bad = any(word in event.text for word in ("unable", "unhealthy", "failed"))
            yield Moment(event.time, "service", event.sentence, bad)
    for one in history.deployments.values():
        if one.created is not None:
            yield Moment(one.created, "service", f"deployment of {one.revision} ({one.id})")


def _tasks(history: History) -> Iterator[Moment]:
    for task in history.tasks.values():
        if task.stopped is not None:
            yield Moment(task.stopped, "tasks", _stopped(task), task.failed)
        if task.started is not None:
            revision = task.task_definition.rpartition("/")[2]
            yield Moment(task.started, "tasks", f"{task.id[:8]} runs ({revision})")


def _stopped(task: Task) -> str:
    return f"{task.id[:8]} stopped: {task.why}"


def _targets(history: History, recording: Recording | None) -> Iterator[Moment]:
    for item in recording.items if recording else ():
        if item.kind == "TargetChanged":
            fields = item.fields
            state, reason = fields.get("state"), fields.get("reason")
            text = f"{fields.get('target')} is {state}{f' ({reason})' if reason else ''}"
            yield Moment(item.at, "targets", text, state == "unhealthy")
    for at, target in history.unhealthy.values():
        yield Moment(at, "targets", f"{target.id} is {target.in_words}", True)


def _instances(history: History) -> Iterator[Moment]:
    for activity in history.activities.values():
        if activity.time is not None:
            text = f"{activity.description} {activity.status} {activity.message}".strip()
            yield Moment(activity.time, "instances", text, activity.status == "Failed")
    for instance in history.instances.values():
        if instance.joined is not None:
            yield Moment(instance.joined, "instances", f"{instance.id} joined the cluster")


def _alarms(history: History) -> Iterator[Moment]:
    for alarm in history.now.alarms:
        if alarm.since is not None and alarm.state != "INSUFFICIENT_DATA":
            text = f"{alarm.name} is {alarm.state}: {alarm.reason}"
            yield Moment(alarm.since, "alarms", text, alarm.rings)


def _lines(history: History) -> Iterator[Moment]:
    """Yield log lines at their task's end, because they have no time of their own here."""
    for id, lines in history.now.lines.items():
        task = history.tasks.get(id)
        if task is not None and task.stopped is not None:
            for line in lines:
                yield Moment(task.stopped, "log", f"{id[:8]} {line}", task.failed)


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
