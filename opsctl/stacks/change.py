"""Bring a stack to its desired state: look, join what runs, plan, ask, change, follow."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, TypeAlias

from opsctl.config.model import Config
from opsctl.errors import Busy, OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure, ask, explained, look_at
from opsctl.snapshot import stacks
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.snapshot import Kind, Look
from opsctl.snapshot.stacks import StackResource, StackState
from opsctl.snapshot.taken import Named
from opsctl.stacks import exports, join, lock, names, remove, states
from opsctl.stacks.absent import absent
from opsctl.stacks.changes import Plan
from opsctl.stacks.definition import Stack
from opsctl.stacks.operation import Operation, StackResult
from opsctl.stacks.plan import CHANGE_SETS, Planning

if TYPE_CHECKING:
    from opsctl.aws import Clients

Sleep: TypeAlias = Callable[[float], None]
# Returns the desired state again, because it keeps some values of the live system.
Renew: TypeAlias = Callable[[], Procedure[Stack]]


class Observer(Protocol):
    """Is notified of a change: when it is planned, under the lock before it begins, while it runs,
    and of its end.
    """

    def planned(self, plan: Plan) -> Procedure[None]: ...

    def begin(self, plan: Plan) -> Procedure[None]: ...

    def follow(self, operation: Operation) -> Procedure[Outcome]: ...

    def end(self, outcome: Outcome) -> Procedure[None]: ...


def preview(
    clients: "Clients", stack: Stack, *, bucket: str | None, sleep: Sleep = time.sleep
) -> Procedure[bool]:
    """Yield the plan only. Returns True when it changes something."""
    return not (yield from planned(clients, stack, bucket=bucket, sleep=sleep)).is_empty


def planned(
    clients: "Clients", stack: Stack, *, bucket: str | None, sleep: Sleep = time.sleep
) -> Procedure[Plan]:
    """Yield the plan only, and return it."""
    state = yield from as_it_is(clients, stack.kind, f"opsctl {stack.command} up")
    if state is not None and state.status in states.DEAD:
        yield remove.left(clients, state)
        state = None
    else:
        yield from _compare_names(clients, stack, state)
    with Planning(clients, stack, state, bucket=bucket, sleep=sleep) as planning:
        yield planning.plan
    if refusal := exports.in_use(clients, planning.plan, state):
        yield Notice(f"{refusal.message}; first: {refusal.hint}", warning=True)
    return planning.plan


def up(
    clients: "Clients",
    stack: Stack,
    *,
    bucket: str | None,
    observer: Observer | None = None,
    renew: Renew | None = None,
    sleep: Sleep = time.sleep,
) -> Procedure[Outcome]:
    """Plan, ask, change and follow. If somebody else is faster, follow their change and plan again.

    After the answer, `renew` must return what was planned; otherwise it is planned again.
    """
    first = True

    def attempt() -> Procedure[Outcome]:
        nonlocal first
        desired = stack if first or renew is None else (yield from renew())
        first = False
        return (yield from _up(clients, desired, bucket, observer, renew, sleep))

    outcome = yield from join.again(attempt)
    outcome = yield from explained(outcome)
    yield StackResult(stack.name, outcome)
    return outcome


def _up(
    clients: "Clients",
    stack: Stack,
    bucket: str | None,
    observer: Observer | None,
    renew: Renew | None,
    sleep: Sleep,
) -> Procedure[Outcome]:
    state = yield from settle(clients, stack.kind, anew=True)
    yield from _compare_names(clients, stack, state)
    with Planning(clients, stack, state, bucket=bucket, sleep=sleep) as planning:
        yield planning.plan
        if planning.plan.is_empty:
            return Outcome("no-changes")
        if refusal := exports.in_use(clients, planning.plan, state):
            raise refusal
        if observer is not None:
            yield from observer.planned(planning.plan)
        if not (yield from _agree(planning.plan)):
            return Outcome("cancelled", f"nothing was done to `{stack.name}`")
        held = yield from lock.take(clients, stack.kind, stack.name)
        with held:
            if renew is not None:
                _require_same(stack, (yield from renew()))
            if observer is not None:
                yield from held.renewed(observer.begin(planning.plan))
            operation = planning.begin()
            following = (
                observer.follow(operation) if observer else join.followed(clients, operation)
            )
            outcome = yield from held.renewed(following)
            if observer is not None:
                yield from observer.end(outcome)
            return outcome


def as_it_is(clients: "Clients", kind: Kind, command: str) -> Procedure[StackState | None]:
    """Return the stack for a plan; None when there is none. Waits for nobody and changes nothing.

    Raises OpsError for a status in which no plan can be made; `command` would repair or join it.
    """
    clients.check_account()
    state = yield from join.describe(kind)
    if state is None:
        return None
    if state.in_progress:
        raise OpsError(
            f"`{state.name}` is {state.status}: a plan would be out of date at once",
            hint=command,
        )
    if not state.exists:
        return state
    states.require_ours(state)
    if state.status in states.HALF_WAY:
        raise OpsError(
            f"{states.in_words(state)}; no plan can be made before that is repaired",
            hint=f"to repair it: {command}",
            cause="stack-stuck",
        )
    if state.status not in (*states.DEAD, *states.TAKES_CHANGES):
        raise states.refuse(state, "ecs" if kind == "ecr" else kind)
    return state


def live(clients: "Clients", kind: Kind, config: Config, command: str) -> Procedure[StackState]:
    """Return a stack that can be planned upon, as `as_it_is` does. Raises OpsError without one."""
    state = yield from as_it_is(clients, kind, command)
    if state is None or not state.exists:
        raise (yield from absent(config, kind))
    if state.status in states.DEAD:
        raise states.dead(state, kind)
    return state


def _require_same(planned: Stack, now: Stack) -> None:
    """Raise Busy if the live system differs from the plan that was agreed to."""
    moved = [
        f"{key} {value}"
        for key, value in now.parameters.items()
        if value != planned.parameters.get(key)
    ]
    if moved:
        raise Busy(f"somebody set {', '.join(moved)}")


def settle(
    clients: "Clients",
    kind: Kind,
    *,
    anew: bool = False,
    follow: join.Join | None = None,
    own: Lock | None = None,
    patience: timedelta | None = None,
) -> Procedure[StackState | None]:
    """Wait until the stack accepts a change, and return it; None when there is none.

    A running operation is followed to its end, by `follow`; if it fails, the command ends with its
    cause. `own` is a lock that this command holds. Raises OpsError for a stack that is not ours,
    for a dead one unless it is to be made `anew`, and TimedOut when somebody else's operation
    lasts longer than `patience`.
    """
    clients.check_account()
    while True:
        state = yield from join.free(clients, kind, join=follow, own=own, patience=patience)
        if state is None or not state.exists:
            return state
        if state.status in states.DEAD:
            if not anew:
                raise states.dead(state, kind)
            yield from remove.clear(clients, state)
        elif state.status == "UPDATE_ROLLBACK_FAILED":
            yield from remove.continue_rollback(clients, state)
        elif state.status == "UPDATE_FAILED":
            yield from remove.roll_back(clients, state)
        elif state.status in states.TAKES_CHANGES:
            return state
        else:
            raise states.refuse(state, "ecs" if kind == "ecr" else kind)


def existing(clients: "Clients", stack: Stack) -> Procedure[frozenset[str]]:
    """Return logical ids of resources that exist outside the stack and that it may take over."""
    state = yield from join.describe(stack.kind)
    # What the stack holds under another name would be replaced, not taken over.
    held = {one.logical_id for one in _held(clients, state)}
    named = names.of_template(stack.template)
    wanted = [one for one in named if one.type in names.IMPORTABLE and one.logical_id not in held]
    taken = yield from _taken(wanted)
    return frozenset(one.logical_id for one in taken if one.certain)


def _held(clients: "Clients", state: StackState | None) -> tuple[StackResource, ...]:
    """Return the stack's resources."""
    if state is None or not state.exists:
        return ()
    return stacks.resources(clients.cloudformation, state.id)


def _compare_names(clients: "Clients", stack: Stack, state: StackState | None) -> Procedure[None]:
    """Compare the template's names with what exists, before anybody is asked.

    Raises OpsError when the stack cannot create something because the name exists already. Yields
    notices of what an existing stack has lost because somebody deleted it.
    """
    named = names.of_template(stack.template)
    if state is not None and state.exists:
        if not named:
            return
        resources = _held(clients, state)
        held = {one.logical_id: one.physical_id for one in resources}
        kept = names.made(named, held)
        if any(one.type == names.GROUP for one in kept):
            # The id of a security group does not say its name, its stack's template does.
            before = names.of_template(stacks.template(clients.cloudformation, state.id))
            kept = tuple(one for one in kept if one.type != names.GROUP or one in before)
        if not stack.reverts_drift:
            yield from _tell_deleted(clients, stack, state, kept, resources)
        # CloudFormation itself looks at the names of what is added, not of what is replaced.
        renamed = [one for one in named if one.logical_id in held and one not in kept]
        if renamed:
            there = yield from _taken(renamed)
            names.require_free(there, stack.name, stack.command, replaced=held)
        return
    if state is not None:
        _require_alone(clients, state)
    taken = yield from _taken([one for one in named if one.logical_id not in stack.imports])
    if taken:
        # Somebody may have created this very stack in the meantime.
        made = yield from join.describe(stack.kind)
        if made is not None and made.exists:
            raise join.overtaken(stack.name)
    names.require_free(taken, stack.name, stack.command)


def _require_alone(clients: "Clients", state: StackState) -> None:
    """Raise OpsError if another tool made a change set for the stack: executing ours deletes it."""
    if state.status != "REVIEW_IN_PROGRESS":
        return
    others = [
        one
        for one in stacks.change_sets(clients.cloudformation, state.id)
        if not one.startswith(CHANGE_SETS)
    ]
    if others:
        raise OpsError(
            f"`{state.name}` is REVIEW_IN_PROGRESS with a change set of somebody else: {others[0]}",
            hint="execute or delete that one first, or choose another `name` in opsctl.yaml",
            cause="not-ours",
        )


def _tell_deleted(
    clients: "Clients",
    stack: Stack,
    state: StackState,
    named: Sequence[Named],
    resources: Sequence[StackResource],
) -> Procedure[None]:
    others = names.without_name(resources, named)
    made = (*named, *others)
    there = {one.logical_id for one in (yield from _taken(made))} if made else set()
    gone = [one for one in made if one.logical_id not in there]
    if not gone:
        return
    # What only has another name in the new template was never there under that one.
    live = names.of_template(stacks.template(clients.cloudformation, state.id))
    for one in gone:
        if one in live or one in others:
            yield Notice(
                f"{one.logical_id}: somebody deleted the {one.type} `{one.name}`, which an update "
                f"does not see; to make it anew: opsctl {stack.command} up --revert-drift",
                warning=True,
            )


def _taken(wanted: Sequence[Named]) -> Procedure[tuple[Named, ...]]:
    now = yield from look_at(Look(frozenset({"taken"}), (), wanted=tuple(wanted)))
    return now.require("taken").taken


def _agree(plan: Plan) -> Procedure[bool]:
    if not plan.losses:
        return (yield from ask(f"apply this to `{plan.stack.name}`?"))
    for change in plan.losses:
        yield Notice(f"{change.logical_id}: {change.effect}", warning=True)
    lost = "; ".join(dict.fromkeys(change.loss for change in plan.losses))
    return (yield from ask(lost, name=plan.stack.name))
