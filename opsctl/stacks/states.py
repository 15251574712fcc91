"""What each stack status means, and whether opsctl may touch the stack. Pure."""

from collections.abc import Mapping

from opsctl.errors import OpsError
from opsctl.snapshot.stacks import StackState

# The stack holds nothing worth updating: it is removed and created again.
DEAD = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
# Statuses in which CloudFormation makes a change set of the stack.
TAKES_CHANGES = {
    *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
    *("IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"),
}
# Statuses in which a rollback can be continued, after which the stack takes changes again.
HALF_WAY = {"UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"}
MEANING: Mapping[str, str] = {
    "REVIEW_IN_PROGRESS": "a change set was made, nothing was created yet",
    "CREATE_FAILED": "the first creation failed and was not rolled back",
    "ROLLBACK_COMPLETE": "the first creation failed and was rolled back; only a new one can follow",
    "ROLLBACK_FAILED": "the first creation failed, and so did removing what it had made",
    "DELETE_FAILED": "the deletion stopped half-way",
    "UPDATE_ROLLBACK_COMPLETE": "the last update failed and was rolled back",
    "UPDATE_ROLLBACK_FAILED": "the last update failed, and so did rolling it back",
    "UPDATE_FAILED": "the last update failed and was left as it is",
    "IMPORT_ROLLBACK_COMPLETE": "the last import of resources failed and was undone",
    "IMPORT_ROLLBACK_FAILED": "the last import of resources failed, and so did undoing it",
}
# Status of a running operation -> status of its success.
EXPECTED: Mapping[str, str] = {
    "CREATE_IN_PROGRESS": "CREATE_COMPLETE",
    "UPDATE_IN_PROGRESS": "UPDATE_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "DELETE_IN_PROGRESS": "DELETE_COMPLETE",
    "IMPORT_IN_PROGRESS": "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_IN_PROGRESS": "IMPORT_ROLLBACK_COMPLETE",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
}


def in_words(state: StackState) -> str:
    """Return for example: `demo-db` is ROLLBACK_COMPLETE: the first creation failed …"""
    meaning = MEANING.get(state.status)
    return f"`{state.name}` is {state.status}{f': {meaning}' if meaning else ''}"


def dead(state: StackState, kind: str) -> OpsError:
    """Return the error of a command that needs the stack to be there."""
    up = f"opsctl {'ecs' if kind == 'ecr' else kind} up"
    return OpsError(in_words(state), hint=f"to make it anew: {up}", cause="stack-stuck")


def refuse(state: StackState, command: str) -> OpsError:
    """Return the error for a status out of which only deleting the stack leads."""
    return OpsError(
        f"{in_words(state)}; CloudFormation accepts no changes to it",
        hint=f"ask AWS Support to repair it, or remove it: opsctl {command} down",
        cause="stack-stuck",
    )


def require_ours(state: StackState) -> None:
    """Raise OpsError for a stack without our tags, which opsctl never touches."""
    if state.stranger:
        instead = "use the config of that system"
        if not state.foreign:
            instead = "if somebody only removed its tags, put them back as this says: opsctl why"
        raise OpsError(
            state.stranger,
            hint=f"choose another `name` in opsctl.yaml, or {instead}",
            cause="not-ours",
        )
