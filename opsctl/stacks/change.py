"""Bring a stack to its desired state: look, join what runs, plan, ask, change, follow."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from opsctl import aws
from opsctl.errors import Busy, OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import (
    Joining,
    Notice,
    Overtaken,
    Procedure,
    ask,
    explained,
    follow,
    look_at,
)
from opsctl.snapshot import stacks
from opsctl.snapshot.snapshot import Kind, Look
from opsctl.snapshot.stacks import StackState
from opsctl.snapshot.taken import Named
from opsctl.stacks import names, remove, states
from opsctl.stacks.changes import Plan
from opsctl.stacks.definition import Stack
from opsctl.stacks.operation import Operation, StackResult
from opsctl.stacks.plan import Planning

if TYPE_CHECKING:
    from opsctl.aws import Clients

Sleep: TypeAlias = Callable[[float], None]
# Follows somebody else's operation, and returns how it ended.
Join: TypeAlias = Callable[["Clients", StackState], Procedure[Outcome]]


def preview(
    clients: "Clients", stack: Stack, *, bucket: str | None, sleep: Sleep = time.sleep
) -> Procedure[bool]:
    """Yield the plan alone; True when it changes something."""
    clients.check_account()
    state = yield from describe(stack.kind)
    if state is not None and state.in_progress:
        raise OpsError(
            f"`{stack.name}` is {state.status}: a plan would be out of date at once",
            hint=f"opsctl {stack.command} up",
        )
    if state is not None and state.exists:
        states.require_ours(state)
    yield from _require_free(stack, state)
    with Planning(clients, stack, state, bucket=bucket, sleep=sleep) as planning:
        yield planning.plan
    return not planning.plan.is_empty


def up(
    clients: "Clients", stack: Stack, *, bucket: str | None, sleep: Sleep = time.sleep
) -> Procedure[Outcome]:
    """Plan, ask, change and follow. When somebody is quicker, join that and begin anew."""
    while True:
        state = yield from settle(clients, stack.kind)
        yield from _require_free(stack, state)
        try:
            with Planning(clients, stack, state, bucket=bucket, sleep=sleep) as planning:
                yield planning.plan
                if planning.plan.is_empty:
                    return (yield from _end(stack.name, Outcome("no-changes")))
                if not (yield from _agree(planning.plan)):
                    nothing = Outcome("cancelled", f"nothing was done to `{stack.name}`")
                    return (yield from _end(stack.name, nothing))
                operation = planning.begin()
        except Busy as overtaken:
            yield Overtaken(f"{overtaken.message}, who was quicker; looking again")
            continue
        ended = yield from run(clients, operation)
        return (yield from _end(stack.name, ended.outcome))


def describe(kind: Kind) -> Procedure[StackState | None]:
    """The stack of this kind as it is now."""
    now = yield from look_at(Look(frozenset({"stacks"}), (kind,)))
    return now.require("stacks").stacks.get(kind)


def settle(
    clients: "Clients", kind: Kind, *, join: Join | None = None
) -> Procedure[StackState | None]:
    """The stack in a state that takes a change; None when there is none (any more).

    What runs is joined to its end; one that failed ends the command, with its cause. Raises
    OpsError for a stack that is not ours.
    """
    clients.check_account()
    while True:
        state = yield from describe(kind)
        if state is None or not state.exists:
            return state
        states.require_ours(state)
        if state.in_progress:
            yield Joining(f"`{state.name}` is {state.status}: joining what is running")
            outcome = yield from (join or _join)(clients, state)
            outcome = yield from explained(outcome)
            outcome.require()
        elif state.status in states.DEAD:
            yield from remove.clear(clients, state)
        elif state.status == "UPDATE_ROLLBACK_FAILED":
            yield from remove.continue_rollback(clients, state)
        else:
            return state


def existing(clients: "Clients", stack: Stack) -> Procedure[frozenset[str]]:
    """The logical ids of what exists already outside the stack, and which it may take over."""
    state = yield from describe(stack.kind)
    held: set[str] = set()
    if state is not None and state.exists:
        held = {one.physical_id for one in stacks.resources(clients.cloudformation, state.id)}
    named = names.of_template(stack.template)
    wanted = [one for one in named if one.type in names.IMPORTABLE and one.name not in held]
    taken = yield from _taken(wanted)
    return frozenset(one.logical_id for one in taken)


def _require_free(stack: Stack, state: StackState | None) -> Procedure[None]:
    """Raises OpsError, before anybody is asked, for a new stack whose names exist already."""
    if state is not None and state.exists:
        return
    named = names.of_template(stack.template)
    taken = yield from _taken([one for one in named if one.logical_id not in stack.imports])
    names.require_free(taken, stack.name, stack.command)


def _taken(wanted: Sequence[Named]) -> Procedure[tuple[Named, ...]]:
    now = yield from look_at(Look(frozenset({"taken"}), (), wanted=tuple(wanted)))
    return now.require("taken").taken


def run(clients: "Clients", operation: Operation) -> Procedure[Operation]:
    """Follow an operation to its end."""
    undo = Undo(clients, operation)
    subject = f"`{operation.stack}` is being changed"
    ended = yield from follow(operation, subject=subject, cancel=undo if undo.possible else None)
    return replace(ended, cancelled=undo.done)


def _join(clients: "Clients", state: StackState) -> Procedure[Outcome]:
    ended = yield from run(clients, Operation.of(state))
    return ended.outcome


class Undo:
    """Cancels an operation: an update is rolled back, a creation of ours is removed again."""

    def __init__(self, clients: "Clients", operation: Operation) -> None:
        self._cloudformation = clients.cloudformation
        self._id = operation.id
        self._creating = operation.expected == "CREATE_COMPLETE" and not operation.joined
        self.possible = self._creating or operation.expected == "UPDATE_COMPLETE"
        self.done = False

    def __call__(self) -> Procedure[None]:
        self.done = True
        try:
            if self._creating:
                self._cloudformation.delete_stack(StackName=self._id)
            else:
                self._cloudformation.cancel_update_stack(StackName=self._id)
        except self._cloudformation.exceptions.ClientError as error:
            # Refused once the operation has ended, which its events say by themselves.
            yield Notice(f"it cannot be cancelled any more: {aws.message(error)}", warning=True)
            return
        what = "what was made is removed" if self._creating else "the update is rolled back"
        yield Notice(f"cancelling: {what}")


def _agree(plan: Plan) -> Procedure[bool]:
    if not plan.losses:
        return (yield from ask(f"apply this to `{plan.stack.name}`?"))
    for change in plan.losses:
        yield Notice(f"{change.logical_id}: {change.effect}", warning=True)
    lost = "; ".join(dict.fromkeys(change.loss for change in plan.losses))
    return (yield from ask(lost, name=plan.stack.name))


def _end(stack: str, outcome: Outcome) -> Procedure[Outcome]:
    outcome = yield from explained(outcome)
    yield StackResult(stack, outcome)
    return outcome
