"""Change the number of tasks by hand. It stays until the config asks for another number."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from opsctl.config.model import Config
from opsctl.errors import Busy, OpsError
from opsctl.outcome import Outcome
from opsctl.plural import counted
from opsctl.procedure import Notice, Procedure, ask, explained, follow, look_at
from opsctl.rollout import agents, plan, room, startable, verdict
from opsctl.rollout.early import Outlook, breaker_threshold
from opsctl.rollout.early_stop import CertainFailure
from opsctl.rollout.verdict import LOGS, Goal
from opsctl.rollout.watch import LOOK, news
from opsctl.snapshot.service import Service
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.stacks import definition, join, states
from opsctl.stacks.absent import absent, gone

if TYPE_CHECKING:
    from opsctl.aws import Clients

_PATIENCE = timedelta(minutes=10)
_BEFORE = LOOK | Look(frozenset({"instances", "stacks"}), ("ecs",))


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """`before` and `after` are numbers of tasks; `room` is how many of those that must start fit
    now, None when none must. `starting` counts them, unless a capacity provider makes room.
    """

    service: str
    before: int
    after: int
    room: int | None = None
    starting: int = 0

    @property
    def homeless(self) -> int:
        """The tasks that would have to start and have no room."""
        return 0 if self.room is None else max(self.starting - self.room, 0)


@dataclass(frozen=True, slots=True)
class ScaleWatch:
    """Watches until the requested number of tasks runs and serves, or until `deadline`."""

    count: int
    goal: Goal
    last: Snapshot
    deadline: datetime
    outlook: Outlook
    looked: bool = False

    @property
    def look(self) -> Look:
        return LOOK

    @property
    def over(self) -> bool:
        return self.looked and (self._settled or self._hopeless or self.last.at >= self.deadline)

    @property
    def _hopeless(self) -> bool:
        """Whether as many new tasks failed alike as would trip a deployment's circuit breaker."""
        doom = self.outlook.doom
        return doom is not None and (doom.certain or doom.times >= breaker_threshold(self.count))

    @property
    def _settled(self) -> bool:
        service = self.last.service
        return service is not None and service.desired == self.count and verdict.settled(self.last)

    @property
    def outcome(self) -> Outcome:
        if self._settled:
            return Outcome("done")
        if doom := self.outlook.doom:
            return Outcome("failed", doom.cause.sentence, doom.cause.next or None)
        running = self.last.service.running if self.last.service else 0
        return Outcome(
            "timed-out",
            f"{running} of {self.count} tasks run, {self.last.healthy} targets are healthy",
            LOGS,
        )

    def see(self, now: Snapshot) -> tuple[Self, tuple[object, ...]]:
        now.require("service", "tasks", "targets")
        happened: list[object] = [*news(self.last, now, self.goal)]
        outlook = self.outlook.see(now, self.goal)
        if outlook.doom is not None and self.outlook.doom is None:
            costs = max(self.deadline - now.at, timedelta())
            happened.append(CertainFailure(replace(outlook.doom, costs=costs), stops=False))
        return replace(self, last=now, looked=True, outlook=outlook), tuple(happened)


def preview(config: Config, count: int) -> Procedure[bool]:
    """Yield the plan only. Returns True when it changes something."""
    planned, _ = yield from _plan(config, count)
    return planned.before != planned.after


def scale(
    clients: "Clients", config: Config, count: int, *, timeout: timedelta
) -> Procedure[Outcome]:
    """Set the service's desired count and follow until that many tasks run.

    Raises OpsError for a service that scales itself, or when the tasks do not fit.
    """
    return (yield from join.again(lambda: _agreed(clients, config, count, timeout)))


def reset(clients: "Clients", config: Config) -> Procedure[Outcome]:
    """Set the config's count again after the scaling was switched off.

    CloudFormation removes what is no longer in a template last, so the scaling may have changed the
    count after the stack's update has set it.
    """
    now = (yield from look_at(_BEFORE)).require("service")
    count, service = config.ecs.desired_count, now.service
    if service is None or service.desired == count:
        return Outcome("done")
    planned = ScalePlan(service.name, service.desired, count)
    yield Notice(f"the scaling set {planned.before} before it was removed; setting {count} again")
    scaling = _scale(clients, planned, _PATIENCE)
    return (yield from join.locked(clients, "ecs", definition.stack_name(config, "ecs"), scaling))


def _agreed(
    clients: "Clients", config: Config, count: int, timeout: timedelta
) -> Procedure[Outcome]:
    """Plan, ask, and scale under the lock. Raises Busy if somebody changed the service first."""
    planned, now = yield from _plan(config, count)
    state = now.stack("ecs")
    if state is not None and state.in_progress:  # it may set the count as well
        yield from join.free(clients, "ecs", good=False, patience=timeout)
        planned, now = yield from _plan(config, count)
    if planned.before == count:
        return Outcome("no-changes")
    name = planned.service
    question = f"run {counted(count, 'task')} of `{name}` instead of {planned.before}?"
    agreed = ask(f"every task of `{name}` stops", name=name) if not count else ask(question)
    if not (yield from agreed):
        return Outcome("cancelled", f"`{name}` still runs {counted(planned.before, 'task')}")
    stack = definition.stack_name(config, "ecs")
    scaling = _scale(clients, planned, timeout)
    return (yield from join.locked(clients, "ecs", stack, scaling, patience=timeout))


def _scale(clients: "Clients", planned: ScalePlan, timeout: timedelta) -> Procedure[Outcome]:
    """Look again, because the question and the lock may have taken minutes, and scale."""
    now = (yield from look_at(_BEFORE)).require("service", "tasks", "stacks")
    count, state = planned.after, now.stack("ecs")
    if state is not None and state.in_progress:
        raise join.overtaken(state.name)
    if now.service is None or now.service.desired != planned.before:
        name, live = planned.service, now.service
        done = f"set `{name}` to {live.desired} tasks" if live else f"removed `{name}`"
        raise Busy(f"somebody {done}")
    name, cluster = now.service.name, now.service.cluster
    clients.ecs.update_service(cluster=cluster, service=name, desiredCount=count)
    if planned.homeless:
        set_to = f"`{name}` is set to {counted(count, 'task')}"
        reason = f"{set_to}; the instances have no room for {planned.homeless}"
        return (yield from explained(Outcome("failed", reason, "opsctl why")))
    ended = yield from follow(
        _watch(now, count, timeout), subject=f"`{name}` is being scaled to {count} tasks"
    )
    outcome = ended.outcome
    if not outcome.good:
        before = planned.before
        yield Notice(f"ECS goes on trying; to give that up: opsctl ecs scale {before}", True)
    return (yield from explained(outcome))


def _watch(now: Snapshot, count: int, timeout: timedelta) -> ScaleWatch:
    goal = Goal.from_now(next(iter(_images(now)), ""), now)
    primary = now.primary
    mine = replace(
        goal, ours=primary.id if primary else "", tasks=frozenset(task.id for task in now.tasks)
    )
    # A larger count is no deployment, so no breaker ends it.
    return ScaleWatch(count, mine, now, now.at + timeout, Outlook.begin(now, breaker=False))


def _plan(config: Config, count: int) -> Procedure[tuple[ScalePlan, Snapshot]]:
    scaling = config.ecs.scaling
    if scaling is not None:
        raise OpsError(
            f"`ecs.scaling` keeps between {scaling.minimum} and {scaling.maximum} tasks by itself",
            hint="set `ecs.scaling.minimum` in opsctl.yaml, then run: opsctl ecs up",
        )
    now = yield from look_at(_BEFORE)
    service = now.require("service", "tasks", "instances").service
    state = now.stack("ecs")
    if state is None:
        raise (yield from absent(config, "ecs"))
    states.require_ours(state)
    plan.require_service(now, state)
    if count:
        plan.require_balanced(now)
    if service is None:
        missing = OpsError("no release yet, so no service", hint="opsctl update-tasks")
        raise gone(now) or missing
    planned = _planned(now, config, service, count)
    if planned.homeless:
        now = yield from agents.back(now, _BEFORE)
        planned = _planned(now, config, service, count)
    yield planned
    if planned.homeless and count > service.desired:
        yield from startable.require_group()
        raise OpsError(
            f"{planned.starting} more tasks need room, and the instances have room for "
            f"{planned.room}",
            hint="set `compute.desired` or `compute.instance_type`, then run: opsctl ecs up",
            cause="no-room",
        )
    return planned, now


def _planned(now: Snapshot, config: Config, service: Service, count: int) -> ScalePlan:
    missing, fit = room.starting(now, plan.requirement(now, config, count))
    if not missing:
        return ScalePlan(service.name, service.desired, count)
    homed = config.compute.capacity_provider
    return ScalePlan(service.name, service.desired, count, fit, 0 if homed else missing)


def _images(now: Snapshot) -> tuple[str, ...]:
    definition = now.definition(now.service.task_definition) if now.service else None
    return definition.images if definition else ()
