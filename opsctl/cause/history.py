"""Everything known about an incident as one value: many snapshots, and what a command recorded.

AWS forgets: a rollback deletes a service, ECS drops a stopped task after an hour and does not
repeat a service event for hours. So a History keeps everything that was ever seen, beside the
present state.
"""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Self

from opsctl.aws import FailedCall
from opsctl.snapshot import start_logs
from opsctl.snapshot.instances import Activity, ContainerInstance, Group
from opsctl.snapshot.service import Deployment, Service, ServiceEvent
from opsctl.snapshot.service_deployments import ServiceDeployment
from opsctl.snapshot.snapshot import Kind, Look, Names, Part, Snapshot
from opsctl.snapshot.stacks import StackEvent, StackState
from opsctl.snapshot.targets import Target
from opsctl.snapshot.tasks import Task

# Parts whose entries accumulate. New snapshots add to them; they never replace them.
_ADDED = {
    *("events", "failures", "lines", "recent_lines", "start_logs", "stacks"),
    "task_definitions",
}
_SERVING = {"InService", ""}
_DEFAULTS: Mapping[str, Any] = {
    one.name: {} if one.default is MISSING else one.default
    for one in fields(Snapshot)
    if one.name not in ("at", "names", "look")
}


@dataclass(frozen=True, slots=True)
class Failure:
    """The error or outcome with which a command ended.

    `kind` is the class of the error or the kind of the outcome. `cause` is the cause id that the
    error itself names, or ''.
    """

    kind: str
    message: str
    hint: str = ""
    cause: str = ""
    operation: str = ""
    code: str = ""
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Another message of a command. `kind` is the name of its class."""

    kind: str
    fields: Mapping[str, Any]
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class History:
    """`now` holds the newest value of every part; the other members hold all that was ever seen.

    `primaries` are the ids of the primary deployments in order. `statuses` holds the statuses of
    each stack in order. `command` is the recorded command, or '' without a recording.
    `absent` holds ids of running instances that some snapshot did not see in the cluster.
    `silent` maps instances with a disconnected agent to the time when that was first seen.
    `counts` and `definitions` are taken from snapshots that saw both the service and its settled
    stack: tuples of (time, value of the service, value in the stack).
    """

    now: Snapshot
    command: str = ""
    began: datetime | None = None
    outcome: str = ""
    tasks: Mapping[str, Task] = field(default_factory=dict)
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    primaries: tuple[str, ...] = ()
    service_deployments: Mapping[str, ServiceDeployment] = field(default_factory=dict)
    stack_events: Mapping[str, StackEvent] = field(default_factory=dict)
    service_events: Mapping[str, ServiceEvent] = field(default_factory=dict)
    unhealthy: Mapping[str, tuple[datetime, Target]] = field(default_factory=dict)
    activities: Mapping[str, Activity] = field(default_factory=dict)
    instances: Mapping[str, ContainerInstance] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    silent: Mapping[str, datetime] = field(default_factory=dict)
    statuses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    states: Mapping[Kind, tuple[StackState, ...]] = field(default_factory=dict)
    counts: tuple[tuple[datetime, int, int], ...] = ()
    definitions: tuple[tuple[datetime, str, str], ...] = ()
    failed_calls: Mapping[tuple[str, str], FailedCall] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    notes: tuple[Note, ...] = ()

    @classmethod
    def empty(cls, names: Names, at: datetime) -> Self:
        return cls(Snapshot(at, names, Look(stacks=())))

    @classmethod
    def of(cls, snapshots: Iterable[Snapshot], **more: Any) -> Self:
        """Return the History of `snapshots`, of which there is at least one, oldest first."""
        first, *rest = snapshots
        history = replace(cls.empty(first.names, first.at), **more).plus(first)
        for snapshot in rest:
            history = history.plus(snapshot)
        return history

    def plus(self, now: Snapshot) -> Self:
        """Return this History with the snapshot `now` added."""
        service, group = now.service, now.group
        primary = now.primary
        return replace(
            self,
            now=_merged(self.now, now),
            tasks=_added(self.tasks, ((task.id, task) for task in now.tasks)),
            deployments=_added(
                self.deployments, ((one.id, one) for one in service.deployments) if service else ()
            ),
            primaries=_followed(self.primaries, primary.id if primary else ""),
            service_deployments=_added(
                self.service_deployments, ((one.arn, one) for one in now.service_deployments)
            ),
            stack_events=_added(
                self.stack_events, ((one.id, one) for one in (*now.events, *now.failures))
            ),
            service_events=_added(
                self.service_events, ((one.id, one) for one in service.events) if service else ()
            ),
            unhealthy=_added(
                self.unhealthy,
                ((one.id, (now.at, one)) for one in now.targets if one.state == "unhealthy"),
            ),
            activities=_added(
                self.activities, ((one.id, one) for one in group.activities) if group else ()
            ),
            instances=_added(self.instances, ((one.id, one) for one in now.instances)),
            absent=self.absent | _absent(now),
            silent=_silent(self.silent, now),
            statuses=self._statuses(now),
            states=self._states(now),
            counts=(*self.counts, *_counts(now)),
            definitions=(*self.definitions, *_definitions(now)),
            failed_calls=_summed(self.failed_calls, now.failed_calls),
        )

    def met(self, failure: Failure) -> Self:
        return replace(self, failures=(*self.failures, failure))

    def noted(self, note: Note) -> Self:
        return replace(self, notes=(*self.notes, note))

    def failed(self, calls: Iterable[FailedCall]) -> Self:
        return replace(self, failed_calls=_summed(self.failed_calls, calls))

    def noted_as(self, kind: str) -> tuple[Note, ...]:
        return tuple(note for note in self.notes if note.kind == kind)

    @property
    def never_joined(self) -> tuple[str, ...]:
        """Return ids of instances that were launched or in service and never registered with the
        cluster.
        """
        group = Group("", activities=tuple(self.activities.values()))
        seen = (*sorted(self.absent), *start_logs.absent(group, ()))
        return tuple(one for one in dict.fromkeys(seen) if one not in self.instances)

    @property
    def ended_badly(self) -> bool:
        return bool(self.failures)

    def _statuses(self, now: Snapshot) -> dict[str, tuple[str, ...]]:
        seen = dict(self.statuses)
        for state in now.stacks.values():
            seen[state.name] = _followed(seen.get(state.name, ()), state.status)
        for event in now.events:
            if event.is_stack:
                seen[event.stack] = _followed(seen.get(event.stack, ()), event.status)
        return seen

    def _states(self, now: Snapshot) -> dict[Kind, tuple[StackState, ...]]:
        seen = dict(self.states)
        for kind, state in now.stacks.items():
            earlier = seen.get(kind, ())
            if not earlier or earlier[-1].status != state.status or earlier[-1].id != state.id:
                seen[kind] = (*earlier, state)
        return seen


def _absent(now: Snapshot) -> set[str]:
    """Return instances in service that the cluster does not list, if this snapshot saw both."""
    if now.group is None or not now.holds("group", "instances"):
        return set()
    known = {one.id for one in now.instances}
    return {one.id for one in now.group.instances if one.lifecycle in _SERVING} - known


def _silent(before: Mapping[str, datetime], now: Snapshot) -> Mapping[str, datetime]:
    if not now.holds("instances"):
        return before
    return {one.id: before.get(one.id, now.at) for one in now.instances if not one.connected}


def _settled(now: Snapshot) -> tuple[Service, StackState] | None:
    """Return the service and its stack if this snapshot saw both and no stack operation runs."""
    state = now.stacks.get("ecs")
    if now.service is None or state is None or not state.exists or state.in_progress:
        return None
    return now.service, state


def _counts(now: Snapshot) -> Iterable[tuple[datetime, int, int]]:
    both = _settled(now)
    declared = both[1].tasks if both else None
    if now.names.scales and both and both[0].desired:
        return
    if both and declared is not None and both[0].desired != declared:
        yield now.at, both[0].desired, declared


def agrees(now: Snapshot) -> bool:
    """Return whether the service has the count that its stack asks for, as far as this can tell."""
    return _settled(now) is not None and not list(_counts(now))


def _definitions(now: Snapshot) -> Iterable[tuple[datetime, str, str]]:
    both = _settled(now)
    own = both[1].outputs.get("TaskDefinitionArn", "") if both else ""
    primary = now.primary
    if primary is not None and own and primary.task_definition != own:
        yield now.at, primary.revision, own.rpartition("/")[2]


def _added(known: Mapping[Any, Any], pairs: Iterable[tuple[Any, Any]]) -> Mapping[Any, Any]:
    new = dict(pairs)
    return {**known, **new} if new else known


def _followed(seen: tuple[str, ...], word: str) -> tuple[str, ...]:
    return seen if not word or seen[-1:] == (word,) else (*seen, word)


def _summed(
    known: Mapping[tuple[str, str], FailedCall], calls: Iterable[FailedCall]
) -> Mapping[tuple[str, str], FailedCall]:
    summed = dict(known)
    for call in calls:
        key = (call.operation, call.code or call.fault)
        earlier = summed.get(key)
        summed[key] = replace(call, times=earlier.times + call.times) if earlier else call
    return summed


def _merged(before: Snapshot, now: Snapshot) -> Snapshot:
    """Return the newest value of every part. A part that could not be read keeps its old value and
    is named in `unread`.
    """
    refused = {one.part for one in now.unread}
    read = {
        name
        for name, default in _DEFAULTS.items()
        if name not in refused and (name in now.look.parts or getattr(now, name) != default)
    } - {"unread", "failed_calls"}
    values: dict[str, Any] = {name: getattr(now, name) for name in read - _ADDED}
    for name in ("lines", "recent_lines", "start_logs"):
        values[name] = {**getattr(before, name), **getattr(now, name)}
    kept = {kind: state for kind, state in before.stacks.items() if kind not in now.look.stacks}
    if "stacks" in now.look.parts and "stacks" not in refused:
        values["stacks"] = {**kept, **now.stacks}
    else:
        values["stacks"] = {**before.stacks, **now.stacks}
    known = {one.arn: one for one in (*before.task_definitions, *now.task_definitions)}
    values["task_definitions"] = tuple(known.values())
    if "failures" in now.look.parts and "failures" not in refused:
        values["failures"] = now.failures
    unread = tuple(one for one in before.unread if one.part not in read) + now.unread
    return replace(
        before,
        at=now.at,
        look=before.look
        | (now.look if "stacks" in now.look.parts else replace(now.look, stacks=())),
        unread=tuple({one.part: one for one in unread}.values()),
        **values,
    )


def parts(history: History) -> frozenset[Part]:
    """Return the parts that some snapshot asked for and that could be read."""
    refused = {one.part for one in history.now.unread}
    return frozenset(part for part in history.now.look.parts if part not in refused)
