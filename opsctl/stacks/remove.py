"""Take a stack down, or what is left of one: show what goes, ask, delete, follow."""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opsctl.errors import Detached, OpsError
from opsctl.images import registry
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure, ask, explained, follow, look_at
from opsctl.snapshot import stacks
from opsctl.snapshot.snapshot import Kind, Look
from opsctl.snapshot.stacks import StackResource, StackState
from opsctl.stacks import states, template
from opsctl.stacks.operation import Operation, StackResult

if TYPE_CHECKING:
    from opsctl.aws import Clients


@dataclass(frozen=True, slots=True)
class Removal:
    """What a deletion will take away, or has to skip; `why` it comes to that, if not asked for.

    `stays` are the logical ids of what outlives the stack, `snapshots` of what is saved before.
    """

    stack: str
    resources: tuple[StackResource, ...]
    why: str = ""
    stays: frozenset[str] = frozenset()
    snapshots: frozenset[str] = frozenset()


def down(
    clients: "Clients",
    kind: Kind,
    name: str,
    *,
    users: str = "",
) -> Procedure[Outcome]:
    """Remove the stack; a repository is emptied first, because images block its deletion.

    `users` is the stack of ours that may import from it. Raises OpsError when some stack does, or
    when termination protection is on.
    """
    clients.check_account()
    now = yield from look_at(Look(frozenset({"stacks"}), (kind,)))
    state = now.require("stacks").stacks.get(kind)
    if state is None:
        yield Notice(f"there is no stack `{name}`: nothing to remove")
        return (yield from _end(name, Outcome("no-changes")))
    if state.exists:
        states.require_ours(state)
        _require_removable(clients, state, users)
    yield _removal(clients, state)
    if not (yield from ask(f"all of this goes, for good: `{name}`", name=name)):
        return (yield from _end(name, Outcome("cancelled", f"nothing was done to `{name}`")))
    if kind == "ecr":
        registry.empty(clients.ecr, state.outputs.get("RepositoryName", ""))
    ended = yield from _delete(clients, state)
    outcome = Outcome("removed") if ended.outcome.good else ended.outcome
    return (yield from _end(name, outcome))


def _removal(clients: "Clients", state: StackState) -> Removal:
    resources = stacks.resources(clients.cloudformation, state.id)
    policies = template.deletion_policies(stacks.template(clients.cloudformation, state.id))
    return Removal(
        state.name,
        resources,
        stays=frozenset(key for key, value in policies.items() if value.startswith("Retain")),
        snapshots=frozenset(key for key, value in policies.items() if value == "Snapshot"),
    )


def clear(clients: "Clients", state: StackState) -> Procedure[None]:
    """Remove what a failed creation or deletion left. Raises Detached when that is declined.

    A resource that could not be deleted before is left behind, because it would stop it again.
    """
    left = stacks.resources(clients.cloudformation, state.id)
    yield Removal(state.name, left, states.in_words(state))
    stuck = [one.logical_id for one in left if one.status == "DELETE_FAILED"]
    keep = stuck if state.status == "DELETE_FAILED" else []
    but = f", leaving {', '.join(keep)} behind" if keep else ""
    if not (yield from ask(f"remove what is left of `{state.name}`{but}?")):
        raise Detached(f"nothing was done to `{state.name}`")
    ended = yield from _delete(clients, state, keep)
    outcome = yield from explained(ended.outcome)
    outcome.require()


def continue_rollback(clients: "Clients", state: StackState) -> Procedure[None]:
    """Bring a stack whose rollback failed back to its old state, without the failed resources."""
    left = stacks.resources(clients.cloudformation, state.id)
    failed = tuple(one for one in left if one.status == "UPDATE_FAILED")
    yield Removal(state.name, failed, states.in_words(state))
    names = [one.logical_id for one in failed]
    skipping = f", skipping {', '.join(names)}" if names else ""
    if not (yield from ask(f"continue the rollback of `{state.name}`{skipping}?")):
        raise Detached(f"nothing was done to `{state.name}`")
    after = stacks.newest_event(clients.cloudformation, state.id)
    clients.cloudformation.continue_update_rollback(
        StackName=state.id, ResourcesToSkip=names, ClientRequestToken=_token()
    )
    operation = Operation(state.name, state.id, "UPDATE_ROLLBACK_COMPLETE", after)
    ended = yield from follow(operation, subject=f"`{state.name}` is being rolled back")
    outcome = yield from explained(ended.outcome)
    outcome.require()


def _delete(
    clients: "Clients", state: StackState, keep: list[str] | None = None
) -> Procedure[Operation]:
    after = stacks.newest_event(clients.cloudformation, state.id)
    retain = {"RetainResources": keep} if keep else {}
    clients.cloudformation.delete_stack(
        StackName=state.id,
        ClientRequestToken=_token(),
        **retain,  # type: ignore[arg-type]  # one optional key
    )
    operation = Operation(state.name, state.id, "DELETE_COMPLETE", after)
    return (yield from follow(operation, subject=f"`{state.name}` is being removed"))


def _require_removable(clients: "Clients", state: StackState, users: str) -> None:
    if state.protected:
        raise OpsError(
            f"`{state.name}` has termination protection, which somebody switched on",
            hint="switch it off in the CloudFormation console, then run the same command again",
            cause="delete-blocked",
        )
    exports = [f"{state.name}-{output}" for output in state.outputs]
    if using := stacks.importers(clients.cloudformation, exports):
        raise OpsError(
            f"`{state.name}` cannot go while {', '.join(f'`{user}`' for user in using)} uses it",
            hint="opsctl ecs down" if users in using else "remove that stack first",
            cause="delete-blocked",
        )


def _token() -> str:
    return f"opsctl-{uuid.uuid4().hex}"


def _end(stack: str, outcome: Outcome) -> Procedure[Outcome]:
    outcome = yield from explained(outcome)
    yield StackResult(stack, outcome)
    return outcome
