"""Replace instances one after another without losing a request. Pure: values in, steps out.

CloudFormation's rolling update ends an instance without moving its tasks. Here a new instance
joins first if the group may grow by one; otherwise the others must have room. The old instance
is set to DRAINING, so ECS starts its tasks elsewhere within the service's minimum and maximum
percent. It is terminated when no task runs and no target is registered on it any more.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html

Every step is decided from a snapshot, so an interrupted roll continues where it stopped.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, Self, TypeAlias

from opsctl.cause import groups
from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.plural import counted
from opsctl.procedure import Notice
from opsctl.rollout import members, verdict
from opsctl.rollout.room import TaskSize
from opsctl.snapshot import start_logs
from opsctl.snapshot.instances import ContainerInstance, Group, not_joined
from opsctl.snapshot.snapshot import Look, Snapshot

LOOK = Look(
    frozenset({"service", "tasks", "task_definitions", "targets", "instances", "group", "stacks"}),
    ("ecs",),
)
_START_LOGS = Look(frozenset({"start_logs"}))
# How often the consoles of instances are read that have not joined yet; EC2 allows few reads.
_CONSOLES = timedelta(seconds=30)
# How long the steps for one instance usually take together.
USUALLY = timedelta(minutes=5)

Action: TypeAlias = Literal["launch", "drain", "terminate", "wait", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What every instance should be. `hash` covers all settings with which an instance starts."""

    image: str
    type: str
    hash: str

    def difference(self, instance: ContainerInstance) -> str:
        """Return why the instance must be replaced, or ''.

        An instance without a hash, from an older opsctl, is not replaced for that alone. A value
        that is '' may be anything.
        """
        if self.image and instance.image and instance.image != self.image:
            return f"its image is {instance.image}, not {self.image}"
        if self.type and instance.type and instance.type != self.type:
            return f"it is a {instance.type}, not a {self.type}"
        if self.hash and instance.machine and instance.machine != self.hash:
            return "what an instance gets at its start has changed"
        return ""


@dataclass(frozen=True, slots=True)
class Replacement:
    """One instance to be replaced, and why."""

    instance: str
    why: str


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """The plan. With `grow` a new instance joins before an old one goes. `size` is the group's.

    `under_way` means that an interrupted roll goes on: its last old instance may drain already.
    """

    replacements: tuple[Replacement, ...]
    size: int
    grow: bool
    under_way: bool = False

    @property
    def usually(self) -> timedelta:
        return USUALLY * len(self.replacements)


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `instance` is the one that the action concerns; `text` is for people.

    `remedy` is a command that removes the cause of a failed step, or ''.
    """

    action: Action
    text: str
    instance: str = ""
    size: int = 0
    shrink: bool = False
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class InstanceRoll:
    """The roll, as far as it was seen.

    `everything` holds instances to replace although nothing differs. `size` is the group's size
    after the roll; `grown` means that the group has one more at the moment. `joining` is when each
    instance that has not joined yet was first seen, and `patience` how long joining may take.
    `moved` is when something last changed, and `standstill` how long nothing may change. `asked` is
    when the consoles of joining instances were last read, and `due` whether they are to be read.
    """

    machine: Machine
    size: int
    began: datetime
    patience: timedelta
    standstill: timedelta
    task: TaskSize
    everything: frozenset[str] = frozenset()
    grown: bool = False
    joining: Mapping[str, datetime] = field(default_factory=dict)
    step: Step = Step("wait", "")
    moved: datetime | None = None
    progress: tuple[str, int, int] = ("", 0, 0)
    asked: datetime | None = None
    due: bool = False

    @property
    def look(self) -> Look:
        return LOOK | _START_LOGS if self.due else LOOK

    @property
    def over(self) -> bool:
        return self.step.action in ("done", "failed")

    @property
    def outcome(self) -> Outcome:
        if self.step.action == "done":
            return Outcome("done")
        remedy = self.step.remedy
        first = f"first: {remedy}, then" if remedy else "remove the cause, then run"
        return Outcome(
            "failed",
            f"{self.step.text}; the remaining instances still serve",
            f"{first}: opsctl ecs roll-instances",
        )

    def see(self, now: Snapshot) -> tuple[Self, tuple[object, ...]]:
        now.require("service", "tasks", "targets", "instances", "group")
        adopted = self._adopt(now.group) if now.group else self
        seen, news = adopted._see(now)
        if adopted.size != self.size:
            text = (
                f"somebody resized `{now.group.name}` to {now.group.desired}" if now.group else ""
            )
            news = (Notice(f"{text}; after the roll it will have {adopted.size}"), *news)
        return seen, news

    def _adopt(self, group: Group) -> Self:
        """Keep a group size that somebody else sets during the roll.

        `size` and `size + 1` count as ours: AWS may be slow to show our own change.
        """
        if self.size <= group.desired <= self.size + 1:
            return self
        ours = self.grown and group.desired > self.size
        return replace(self, size=group.desired - ours, grown=ours)

    def _see(self, now: Snapshot) -> tuple[Self, tuple[object, ...]]:
        step = self._next(now)
        progress = (step.text, now.healthy, len(now.running))
        moved = self.moved if progress == self.progress and self.moved else now.at
        if step.action == "wait" and now.at - moved > self.standstill:
            minutes = int(self.standstill.total_seconds() // 60)
            step = Step("failed", f"nothing has changed for {minutes} minutes: {step.text}")
        news = (step,) if step.text != self.step.text else ()
        known = {one.id for one in now.instances}
        present = now.group.members if now.group else ()
        joining = {
            one.id: self.joining.get(one.id, now.at) for one in present if one.id not in known
        }
        grown = step.action == "launch" or (self.grown and not step.shrink)
        asked = now.at if self.due or self.asked is None else self.asked
        seen = replace(
            self, step=step, joining=joining, moved=moved, progress=progress, grown=grown,
            asked=asked, due=bool(joining) and now.at - asked >= _CONSOLES,
        )  # fmt: skip
        return seen, news

    def _next(self, now: Snapshot) -> Step:
        group = now.group
        if group is None:
            return Step("failed", "the stack has no Auto Scaling group")
        if group.stands_still:
            return Step("failed", groups.stopped(group), remedy=groups.resume(group))
        excess = group.desired - self.size
        # Do not terminate an instance that somebody else drains for another reason.
        ours = [one for one in members.draining(now, group) if self._why(one) or excess > 0]
        if ours:
            return self._leaving(now, group, ours[0])
        if step := self._arriving(now, group) or self._different(now, group):
            return step
        old = self.outdated(now)
        if not old and excess <= 0:
            return Step("done", "every instance is as it should be")
        if now.service is not None and not verdict.settled(now):
            return Step("wait", "waiting until every task is healthy")
        if not old:
            return self._drain(members.spare(now, group)[0], "one instance more than wanted")
        if excess <= 0 and group.maximum > self.size:
            text = f"launching a new instance: {self.size} -> {self.size + 1}"
            return Step("launch", text, size=self.size + 1)
        if excess <= 0 and (lack := members.lack(now, group, old[0], self.task)):
            return Step("failed", lack)
        return self._drain(old[0], self._why(old[0]))

    def outdated(self, now: Snapshot) -> tuple[ContainerInstance, ...]:
        """Return the instances still to be replaced, from the fullest zone first, then by age."""
        if now.group is None:
            return ()
        zones = members.zones(now.group)
        old = [one for one in members.active(now, now.group) if self._why(one)]
        return tuple(sorted(old, key=lambda one: (-zones[one.zone], str(one.joined or ""), one.id)))

    def _why(self, instance: ContainerInstance) -> str:
        reason = "requested with --all" if instance.id in self.everything else ""
        return self.machine.difference(instance) or reason

    def _drain(self, instance: ContainerInstance, why: str) -> Step:
        return Step("drain", f"draining {instance.id} ({instance.zone}): {why}", instance.arn)

    def _leaving(self, now: Snapshot, group: Group, instance: ContainerInstance) -> Step:
        tasks = members.tasks_on(now, instance)
        registered = [target for target in now.targets if target.instance == instance.id]
        # An agent loses its connection for seconds several times an hour, and a draining instance
        # still answers then.
        if registered or (tasks and instance.connected):
            count = max(len(tasks), len(registered))
            return Step(
                "wait",
                f"{instance.id}: {counted(count, 'task')} to move to other instances",
            )
        if tasks and not members.serve_elsewhere(now, instance):
            return Step("wait", f"{instance.id}: its agent is silent; its tasks start elsewhere")
        # In unbalanced zones the group would terminate an instance by itself, with its tasks.
        zones = members.zones(group)
        fullest = zones[instance.zone] == max(zones.values())
        shrink = group.desired > self.size and fullest and not self.outdated(now)
        return Step("terminate", f"terminating {instance.id}", instance.id, shrink=shrink)

    def _different(self, now: Snapshot, group: Group) -> Step | None:
        """Return a failed step if a new instance differs, too: another one would not be better."""
        for one in members.active(now, group):
            launched = group.launched(one.id) or one.joined
            why = self.machine.difference(one)
            if why and launched is not None and launched > self.began:
                text = f"{one.id} is new and still differs: {why}"
                return Step("failed", text, remedy="opsctl ecs up")
        return None

    def _arriving(self, now: Snapshot, group: Group) -> Step | None:
        known = {one.id for one in now.instances}
        for member in group.members:
            if member.id in known:
                continue
            launched = group.launched(member.id) or self.joining.get(member.id, now.at)
            hopeless = start_logs.gave_up(now.start_logs.get(member.id, ()))
            if now.at - launched < self.patience and not hopeless:
                return Step("wait", f"{member.id} ({member.zone}) starts and joins the cluster")
            if launched < self.began:
                # Left over from an earlier, failed roll; it serves nothing.
                text = f"terminating {member.id}, which never joined the cluster"
                return Step("terminate", text, member.id)
            if hopeless:
                return Step("failed", f"{member.id} says that it cannot start")
            minutes = int(self.patience.total_seconds() // 60)
            time = counted(minutes, "minute")
            return Step("failed", f"{member.id} has not joined the cluster in {time}")
        if len(group.members) >= group.desired:
            return None
        refused = [
            one.message
            for one in group.activities
            if one.status == "Failed" and one.time and one.time >= self.began
        ]
        if refused:
            return Step("failed", f"EC2 launches no instance: {refused[0]}")
        return Step("wait", "waiting for a new instance")


def plan(now: Snapshot, roll: InstanceRoll, maximum: int = 0) -> InstancePlan:
    """Return which instances are replaced, and how. `maximum` is the group's future maximum size.

    Raises OpsError with the arithmetic when there is no room.
    """
    if now.group is None:
        raise OpsError("the ecs stack has no Auto Scaling group yet", hint="opsctl ecs up")
    group = replace(now.group, maximum=max(now.group.maximum, maximum))
    old = roll.outdated(now)
    grow = group.maximum > roll.size
    replacements = (
        *(Replacement(one.id, roll._why(one)) for one in old),
        *(Replacement(one, "it is not in the cluster") for one in _lost(now, group, roll)),
    )
    if old and group.stands_still:
        raise OpsError(groups.stopped(group), hint=groups.resume(group), cause="asg-cannot-launch")
    if old:
        _require_movable(now)
    # While an instance joins or leaves, the free room is not known.
    quiet = len(members.active(now, group)) == len(group.members) == group.desired
    if not grow and quiet and group.desired <= roll.size:
        for instance in old:
            if lack := members.lack(now, group, instance, roll.task):
                raise OpsError(
                    lack,
                    hint=f"set `compute.maximum: {group.maximum + 1}`, then run: opsctl ecs up",
                    cause="no-room",
                )
    return InstancePlan(replacements, roll.size, grow, members.TAG in group.tags)


def _lost(now: Snapshot, group: Group, roll: InstanceRoll) -> list[str]:
    """Return the instances whose start took longer than it may. The roll terminates them."""
    absent = [one.id for one in not_joined(group, now.instances) if not one.leaving]
    # A launch that is not among the newest activities was long ago.
    launched = {one: group.launched(one) for one in absent}
    return [one for one, at in launched.items() if at is None or now.at - at >= roll.patience]


def _require_movable(now: Snapshot) -> None:
    """Raise OpsError if the service's percents let ECS neither start nor stop a task.

    ECS rounds the minimum up and the maximum down.
    """
    service = now.service
    if service is None or not service.desired:
        return
    least = math.ceil(service.desired * service.minimum_percent / 100)
    if least >= service.desired >= service.desired * service.maximum_percent // 100:
        raise OpsError(
            "no task may be started before an old one stops, and none stopped before",
            hint="set `ecs.maximum_percent: 200`, then run: opsctl ecs up",
            cause="no-room",
        )
