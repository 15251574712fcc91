"""Remove a stack, or what is left of one: show what goes, ask, delete, follow."""

import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.errors import Detached, OpsError
from opsctl.images import registry
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure, ask, explained, follow
from opsctl.snapshot import stacks
from opsctl.snapshot.snapshot import KINDS, Kind
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import definition, join, lock, states, template
from opsctl.stacks.changes import LOSSES
from opsctl.stacks.operation import Operation, Removal, StackResult

if TYPE_CHECKING:
    from opsctl.aws import Clients


def down(clients: "Clients", config: Config, kind: Kind) -> Procedure[Outcome]:
    """Remove the stack. A repository is emptied first, because images block its deletion.

    Raises OpsError when another stack imports from it, or when termination protection is on.
    """
    ours = {definition.stack_name(config, other): other for other in KINDS}
    name = definition.stack_name(config, kind)
    clients.check_account()
    outcome = yield from join.again(lambda: _down(clients, kind, name, ours))
    outcome = yield from explained(outcome)
    yield StackResult(name, outcome)
    return outcome


def _down(
    clients: "Clients", kind: Kind, name: str, ours: Mapping[str, Kind]
) -> Procedure[Outcome]:
    state = yield from join.free(clients, kind, good=False)
    if state is None:
        yield Notice(f"there is no stack `{name}`: nothing to remove")
        return Outcome("no-changes")
    if state.exists:
        _require_removable(clients, state, ours)
    with join.busy(name):
        yield _removal(clients, state)
    if not (yield from ask(f"all of this goes, for good: `{name}`", name=name)):
        return Outcome("cancelled", f"nothing was done to `{name}`")
    held = yield from lock.take(clients, kind, name)
    with held:
        _require_same(clients, state)
        if kind == "ecr":
            registry.empty(clients.ecr, state.outputs.get("RepositoryName", ""))
        ended = yield from held.renewed(_delete_all(clients, state))
        return Outcome("removed") if ended.outcome.good else ended.outcome


def _require_same(clients: "Clients", state: StackState) -> None:
    """Raise Busy if somebody has changed the stack since the question."""
    now = stacks.describe(clients.cloudformation, state.id)
    if now is None or (now.status, now.changed) != (state.status, state.changed):
        raise join.overtaken(state.name)


def _removal(clients: "Clients", state: StackState) -> Removal:
    if not state.exists:  # it has no template and no resources yet
        return Removal(state.name, (), states.in_words(state))
    resources = stacks.resources(clients.cloudformation, state.id)
    policies = template.deletion_policies(stacks.template(clients.cloudformation, state.id))
    return Removal(
        state.name,
        resources,
        stays=frozenset(key for key, value in policies.items() if value.startswith("Retain")),
        snapshots=frozenset(key for key, value in policies.items() if value == "Snapshot"),
    )


def left(clients: "Clients", state: StackState) -> Removal:
    """Return what a failed creation or deletion left."""
    resources = stacks.resources(clients.cloudformation, state.id)
    return Removal(state.name, resources, states.in_words(state))


def clear(clients: "Clients", state: StackState) -> Procedure[None]:
    """Remove what a failed creation or deletion left. Raises Detached when that is declined."""
    _require_unprotected(state)
    remains = left(clients, state)
    yield remains
    lost = _lost(state, remains)
    question = f"remove what is left of `{state.name}`"
    answer = ask(f"{question}: {lost}", name=state.name) if lost else ask(f"{question}?")
    if not (yield from answer):
        raise Detached(f"nothing was done to `{state.name}`")
    held = yield from _locked(clients, state)
    with held:
        _require_same(clients, state)
        ended = yield from held.renewed(_delete_all(clients, state))
    outcome = yield from explained(ended.outcome)
    outcome.require()


def _lost(state: StackState, remains: Removal) -> str:
    """Return what is lost for good with what remains, or ''. What was rolled back served nobody."""
    if state.status not in ("CREATE_FAILED", "DELETE_FAILED"):
        return ""
    types = dict.fromkeys(one.resource_type for one in remains.resources)
    # A cluster without the service runs no task.
    losses = [LOSSES[one] for one in types if one in LOSSES and one != "AWS::ECS::Cluster"]
    return "; ".join(dict.fromkeys(losses))


def continue_rollback(clients: "Clients", state: StackState) -> Procedure[None]:
    """Bring a stack whose rollback failed back to its old state, skipping the failed resources."""
    held = stacks.resources(clients.cloudformation, state.id)
    failed = tuple(one for one in held if one.status == "UPDATE_FAILED" and one.failed_itself)
    stays = frozenset(one.logical_id for one in failed)
    yield Removal(state.name, failed, states.in_words(state), stays)
    names = [one.logical_id for one in failed]
    skipping = f", skipping {', '.join(names)}" if names else ""
    question = f"continue the rollback of `{state.name}`{skipping}?"
    again = clients.cloudformation.continue_update_rollback
    if names:
        again = partial(again, ResourcesToSkip=names)
    yield from _rolled_back(clients, state, question, again)


def roll_back(clients: "Clients", state: StackState) -> Procedure[None]:
    """Roll back a stack whose update failed and was left as it was.

    Such an update was made by another tool with rollback switched off. Until then CloudFormation
    refuses opsctl's own updates, which roll back when they fail.

    Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html
    """
    held = stacks.resources(clients.cloudformation, state.id)
    failed = tuple(one for one in held if one.status.endswith("FAILED"))
    stays = frozenset(one.logical_id for one in failed)
    yield Removal(state.name, failed, states.in_words(state), stays)
    begin = clients.cloudformation.rollback_stack
    yield from _rolled_back(clients, state, f"roll `{state.name}` back?", begin)


def _rolled_back(
    clients: "Clients", state: StackState, question: str, begin: Callable[..., object]
) -> Procedure[None]:
    """Ask, call `begin` to start the rollback, and follow it to its end."""
    if not (yield from ask(question)):
        raise Detached(f"nothing was done to `{state.name}`")
    held = yield from _locked(clients, state)
    with held:
        after = stacks.newest_event(clients.cloudformation, state.id)
        with join.busy(state.name):
            begin(StackName=state.id, ClientRequestToken=_token())
        operation = Operation(state.name, state.id, "UPDATE_ROLLBACK_COMPLETE", after)
        subject = f"`{state.name}` is being rolled back"
        ended = yield from held.renewed(follow(operation, subject=subject))
    outcome = yield from explained(ended.outcome)
    outcome.require()


def _locked(clients: "Clients", state: StackState) -> Procedure[lock.Held]:
    [kind] = [kind for kind in KINDS if state.name.endswith(f"-{kind}")]
    return (yield from lock.take(clients, kind, state.name))


def _delete_all(clients: "Clients", state: StackState) -> Procedure[Operation]:
    """Delete the stack. After a yes, keep the resources that twice could not be deleted."""
    ended = yield from _delete(clients, state)
    if ended.outcome.good or state.status != "DELETE_FAILED":
        return ended
    again = stacks.resources(clients.cloudformation, state.id)
    stuck = {one.logical_id: one.physical_id for one in again if one.status == "DELETE_FAILED"}
    leaving = f"remove `{state.name}`, leaving {', '.join(stuck)} behind?"
    if not stuck or not (yield from ask(leaving)):
        return ended
    ended = yield from _delete(clients, state, list(stuck))
    if ended.outcome.good:
        named = ", ".join(f"{logical_id} `{id}`" for logical_id, id in stuck.items())
        yield Notice(
            f"left behind, in no stack any more: {named}; remove it yourself", warning=True
        )
    return ended


def _delete(
    clients: "Clients", state: StackState, keep: list[str] | None = None
) -> Procedure[Operation]:
    after = stacks.newest_event(clients.cloudformation, state.id)
    retain = {"RetainResources": keep} if keep else {}
    with join.busy(state.name):
        clients.cloudformation.delete_stack(
            StackName=state.id,
            ClientRequestToken=_token(),
            **retain,  # type: ignore[arg-type]  # one optional key
        )
    operation = Operation(state.name, state.id, "DELETE_COMPLETE", after)
    return (yield from follow(operation, subject=f"`{state.name}` is being removed"))


def _require_unprotected(state: StackState) -> None:
    if state.protected:
        raise OpsError(
            f"`{state.name}` has termination protection, which somebody switched on",
            hint="to switch it off: aws cloudformation update-termination-protection "
            f"--no-enable-termination-protection --stack-name {state.name}",
            cause="delete-blocked",
        )


def _require_removable(clients: "Clients", state: StackState, ours: Mapping[str, Kind]) -> None:
    _require_unprotected(state)
    exports = [f"{state.name}-{output}" for output in state.outputs]
    if using := stacks.importers(clients.cloudformation, exports):
        own = [ours[user] for user in using if user in ours]
        raise OpsError(
            f"`{state.name}` cannot go while {', '.join(f'`{user}`' for user in using)} uses it",
            hint=f"opsctl {own[0]} down" if own else "remove that stack first",
            cause="delete-blocked",
        )


def _token() -> str:
    return f"opsctl-{uuid.uuid4().hex}"
