"""Bring one image into the service: look, plan, ask, change, follow, verify."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Self, TypeAlias

from opsctl import aws
from opsctl.config.model import Config
from opsctl.errors import Busy, Detached
from opsctl.outcome import Outcome
from opsctl.procedure import Procedure, Waiting, ask, follow, look_at
from opsctl.rollout import agents, reach, roll_stack, room, startable, stop
from opsctl.rollout import plan as planning
from opsctl.rollout.early_stop import EarlyStop
from opsctl.rollout.plan import Order, RollPlan, Strategy
from opsctl.rollout.verdict import LOGS, Goal
from opsctl.rollout.watch import LOOK, Watch, Wave
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import join as joining
from opsctl.stacks.operation import Operation, RollBegun
from opsctl.stacks.plan import Planning

if TYPE_CHECKING:
    from opsctl.aws import Clients

Sleep: TypeAlias = Callable[[float], None]
# Service and stack in one snapshot: only together they show what was changed by hand.
_BEFORE = LOOK | Look(frozenset({"instances", "stacks", "deregistered", "log_groups"}), ("ecs",))
_LAST_LOOKS, _LAST_PAUSE = 3, 1.0  # looks, seconds before each: log lines arrive late
_NEVER = datetime.max
_AFTERWARDS = timedelta(minutes=10)  # for targets, after CloudFormation calls the service steady
_DECLINED = Outcome("cancelled", "nothing was rolled")
# Called under the lock with the last snapshot and the change set to execute; writes the ledger.
Begin: TypeAlias = Callable[[Snapshot, str], Procedure[None]]


@dataclass(frozen=True, slots=True)
class StackRoll:
    """An operation of the ecs stack together with the tasks that it rolls."""

    operation: Operation
    watch: Watch

    @property
    def look(self) -> Look:
        return self.operation.look | self.watch.look

    @property
    def late(self) -> bool:
        return self.watch.last.at >= self.watch.deadline

    @property
    def over(self) -> bool:
        return self.operation.over or self.late

    def see(self, now: Snapshot) -> tuple[Self, tuple[object, ...]]:
        operation, events = self.operation.see(now)
        watch, news = self.watch.see(now)
        return replace(self, operation=operation, watch=watch), (*events, *news)


def look(config: Config, state: StackState, order: Order) -> Procedure[RollPlan]:
    """Return what the release would do to the service. Raises OpsError if there is no room."""
    now = planning.require_balanced((yield from look_at(_BEFORE)))
    now.require("service", "tasks", "task_definitions", "targets", "instances")
    plan = planning.plan(now, state, order, config)
    if plan.forecast is not None and not plan.forecast.can_roll:
        now = yield from agents.back(now, _BEFORE)
        plan = planning.plan(now, state, order, config)
    planning.require_startable(now, plan)
    yield plan
    if plan.forecast is not None and not config.compute.capacity_provider:
        if not plan.forecast.can_roll:
            yield from startable.require_group()
        room.require(plan.forecast, plan.need, now)
    if plan.way == "follow":
        planning.require_targets(now)
        missing, fit = room.starting(now, plan.need)
        if fit < missing:
            yield from startable.require_group()
    return plan


def roll(
    clients: "Clients",
    config: Config,
    state: StackState,
    plan: RollPlan,
    order: Order,
    *,
    agreed: bool = False,
    begin: Begin | None = None,
    sleep: Sleep = time.sleep,
) -> Procedure[Outcome]:
    """Execute `plan`, follow it to its end, then send a request. With `agreed` nobody is asked."""
    act = partial(_waves, clients, order, plan)
    if plan.way == "nothing":
        return Outcome("no-changes")
    watch: Watch | None = None
    if plan.way == "stack":
        change = yield from _change(clients, config, state, plan, order, agreed, begin, sleep)
        if isinstance(change, Outcome):
            return change
        if change is not None:
            early = _early(clients, config, order, change.watch, change.operation)
            both = yield from _follow_stack(clients, change, act, early)
            watch = both.watch
            if both.late or not _is_good(both):
                return (yield from _failed(both))
            if early is not None and early.done:
                return (yield from early.put_right(state, sleep))
            if plan.anew:
                watch, agreed, state = None, True, (yield from _changed(state))
    elif plan.way == "follow":
        watch = yield from _begin(order, state)
    if watch is None:
        # Also when the stack asks for this image already, and the service runs another.
        if not agreed and not (yield from _agree(config, order)):
            return _DECLINED
        kept = plan.tasks if plan.way == "deployment" else None
        watch = yield from _begin(order, state, begin, forced=True, tasks=kept)
        _force(clients, config, state, plan)
    return (yield from _verify(watch, act, sleep, _early(clients, config, order, watch)))


def _early(
    clients: "Clients",
    config: Config,
    order: Order,
    watch: Watch,
    operation: Operation | None = None,
) -> EarlyStop | None:
    return EarlyStop(clients, config, watch.last, operation) if order.early_stop else None


def _change(
    clients: "Clients",
    config: Config,
    state: StackState,
    plan: RollPlan,
    order: Order,
    agreed: bool,
    begin: Begin | None,
    sleep: Sleep,
) -> Procedure[StackRoll | Outcome | None]:
    """Return the roll to follow, the outcome if declined, or None without a change of the stack."""
    bucket = config.aws.bucket
    stack = yield from roll_stack.changed(clients, state, plan, bucket=bucket, sleep=sleep)
    with Planning(clients, stack, state, bucket=bucket, sleep=sleep) as planned:
        if not planned.plan.changes:
            return None
        yield planned.plan
        roll_stack.require_only_tasks(planned.plan)
        if not agreed and not (yield from _agree(config, order)):
            return _DECLINED
        # With the same image, only the deployment's id tells new tasks from old ones.
        same = bool(stack.template) and "Image" not in plan.parameters
        watch = yield from _begin(
            order, state, begin, planned.plan.change_set, forced=same, tasks=plan.tasks
        )
        return StackRoll(planned.begin(), watch)


def preview(
    clients: "Clients",
    state: StackState,
    plan: RollPlan,
    *,
    bucket: str | None = None,
    sleep: Sleep = time.sleep,
) -> Procedure[None]:
    """Yield the plan of the ecs stack's change."""
    stack = yield from roll_stack.changed(clients, state, plan, bucket=bucket, sleep=sleep)
    with Planning(clients, stack, state, bucket=bucket, sleep=sleep) as planned:
        yield planned.plan
        roll_stack.require_only_tasks(planned.plan)


def join(clients: "Clients", state: StackState) -> Procedure[Outcome]:
    """Follow somebody else's rollout like our own; any other operation by its events only."""
    now = yield from look_at(LOOK)
    operation = Operation.of(state)
    if state.status != "UPDATE_IN_PROGRESS":
        ended = yield from joining.run(clients, operation)
        return ended.outcome
    # Report tasks that stopped before we joined, too.
    now = replace(now, tasks=now.running)
    goal = Goal.from_now(state.parameters.get("Image", ""), now).seen(now)
    watch = Watch(goal, now, _NEVER.replace(tzinfo=now.at.tzinfo))
    both = yield from _follow_stack(clients, StackRoll(operation, watch), lambda *_: ())
    return Outcome("done") if _is_good(both) else (yield from _failed(both))


def before() -> Procedure[Watch | None]:
    """Return a watch for a stack change that may roll tasks of the same image; or None."""
    now = yield from look_at(_BEFORE)
    state = now.stack("ecs")
    if state is None or not now.holds("service", "tasks", "task_definitions", "targets"):
        return None
    # The config may ask for no tasks.
    goal = replace(Goal.from_now(state.parameters.get("Image", ""), now, forced=True), desired=0)
    watch = Watch(goal, now, _NEVER.replace(tzinfo=now.at.tzinfo))
    return watch if now.service is not None else None


def with_stack(
    clients: "Clients", operation: Operation, watch: Watch, sleep: Sleep = time.sleep
) -> Procedure[Outcome]:
    """Follow such a change. Its tasks are shown, checked and sent a request as in a release."""
    yield RollBegun()
    both = yield from _follow_stack(clients, StackRoll(operation, watch), lambda *_: ())
    if not _is_good(both):
        return (yield from _failed(both))
    watch = both.watch
    if not watch.goal.ours:
        return both.operation.outcome  # no task was replaced: only tags of the definition differ
    watch = replace(watch, deadline=watch.last.at + _AFTERWARDS)
    outcome = yield from _verify(watch, lambda *_: (), sleep)
    return both.operation.outcome if outcome.kind == "deployed" else outcome


def _is_good(both: StackRoll) -> bool:
    return both.operation.over and both.operation.outcome.good


def _agree(config: Config, order: Order) -> Procedure[bool]:
    return (yield from ask(f"{order.verb} `{config.ecs.service_name}`?"))


def _changed(state: StackState) -> Procedure[StackState]:
    return (yield from joining.describe("ecs")) or state


def _begin(
    order: Order,
    planned: StackState,
    begin: Begin | None = None,
    change_set: str = "",
    *,
    forced: bool = False,
    tasks: int | None = None,
) -> Procedure[Watch]:
    """Take the last snapshot before the change; what it shows is not reported as new.

    Raises Busy when the stack or the count of `tasks` differs from the plan, because an answer to
    the question may take minutes.
    """
    now = yield from look_at(_BEFORE)
    state = now.stacks.get("ecs")
    if state and (state.parameters, state.outputs) != (planned.parameters, planned.outputs):
        raise joining.overtaken(planned.name)
    if tasks is not None and now.service is not None and now.service.desired != tasks:
        raise Busy(f"somebody set the service to {now.service.desired} tasks instead of {tasks}")
    if begin is not None:
        yield from begin(now, change_set)
    declared = planned.parameters.get("DesiredCount", "")
    desired = int(declared) if declared.isdigit() else 0
    goal = Goal.from_now(order.image, now, forced=forced, desired=desired)
    return Watch(goal, now, now.at + order.timeout)


def _follow_stack(
    clients: "Clients",
    both: StackRoll,
    act: Callable[[Watch, Snapshot], Iterable[Wave]],
    early: EarlyStop | None = None,
) -> Procedure[StackRoll]:
    undo = joining.Undo(clients, both.operation)
    both = yield from follow(
        both,
        subject=f"`{both.operation.stack}` is being changed",
        cancel=undo,
        act=lambda both, now: act(both.watch, now),
        decide=(lambda both, now: early(both.watch.goal, now)) if early else None,
    )
    return replace(both, operation=replace(both.operation, cancelled=undo.done))


def _failed(both: StackRoll) -> Procedure[Outcome]:
    """Return the stack's outcome, with the tasks' reason, which CloudFormation does not know."""
    if not both.operation.over:
        return Outcome(
            "timed-out",
            f"`{both.operation.stack}` is still being changed",
            "to join it and follow it to its end: opsctl update-tasks",
        )
    outcome, watch = both.operation.outcome, both.watch
    if outcome.kind == "cancelled" or (both.operation.stopped and watch.failed is None):
        return outcome
    for _ in range(_LAST_LOOKS):
        try:
            now = yield Waiting(0.0 if watch is both.watch else _LAST_PAUSE, LOOK)
        except Exception as error:
            if isinstance(error, Detached) or aws.translate(error) is None:
                raise
            break  # AWS does not answer any more; what is known of the end is told
        assert isinstance(now, Snapshot)
        watch, news = watch.see(now)
        yield from news
        if watch.failed is not None and (watch.last_lines or not watch.failed.exited):
            break
    why = watch.because(outcome.reason)
    if outcome.kind == "rolled-back":
        return replace(outcome, reason=why, hint=LOGS)
    stuck = both.operation.ended and both.operation.ended.status == "UPDATE_ROLLBACK_FAILED"
    return replace(
        outcome,
        reason=why if why == outcome.reason else f"{both.operation.end}: {why}",
        hint="to continue the rollback: opsctl update-tasks" if stuck else outcome.hint,
    )


def _verify(
    watch: Watch,
    act: Callable[[Watch, Snapshot], Iterable[Wave]],
    sleep: Sleep,
    early: EarlyStop | None = None,
) -> Procedure[Outcome]:
    watch = yield from follow(
        watch,
        subject="the tasks are being rolled",
        act=act,
        decide=(lambda watch, now: early(watch.goal, now)) if early else None,
    )
    outcome = watch.outcome
    assert outcome is not None
    if outcome.kind != "deployed":
        return outcome
    now = yield from look_at(Look(frozenset({"listener"}), ()))
    if now.listener is None:
        return outcome
    answer = reach.reach(now.listener, sleep=sleep)
    yield answer
    if answer.bad:
        return Outcome("deployed-unhealthy", answer.sentence, LOGS)
    return outcome


def _waves(
    clients: "Clients", order: Order, plan: RollPlan, watch: Watch, now: Snapshot
) -> Iterable[Wave]:
    if order.strategy is Strategy.ROLLING:
        return ()
    return stop.wave(clients.ecs, watch, now, plan.need)


def _force(clients: "Clients", config: Config, state: StackState, plan: RollPlan) -> None:
    """Force a new deployment of what the stack asks for, whatever the service runs now."""
    force = partial(
        clients.ecs.update_service,
        cluster=config.ecs.cluster_name,
        service=config.ecs.service_name,
        taskDefinition=state.outputs["TaskDefinitionArn"],
        forceNewDeployment=True,
    )
    if config.ecs.scaling:
        force()  # the count may have scaled by now
    else:
        force(desiredCount=plan.need.desired)
