"""Exports whose values a plan changes: CloudFormation refuses that while another stack imports one,
but only at the end of the update, when everything else was done, and rolls back.

Source: "Export X cannot be updated as it is in use by Y" (aws-cdk#3414).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from opsctl.errors import OpsError
from opsctl.snapshot import stacks
from opsctl.snapshot.stacks import StackState
from opsctl.stacks.changes import Plan
from opsctl.stacks.template import read

if TYPE_CHECKING:
    from opsctl.aws import Clients

_KINDS = ("db", "ecr", "ecs", "alarms")


def in_use(clients: "Clients", plan: Plan, state: StackState | None) -> OpsError | None:
    """Return the error for a plan that would only roll back, or None."""
    made_anew = {
        change.logical_id
        for change in plan.changes
        if change.replaces or change.action == "Remove" or change.drift == "DELETED"
    }
    if state is None or not made_anew or not plan.stack.template:
        return None
    exports = [name for name in _exports(plan.stack.template, made_anew) if name in state.outputs]
    names = [f"{state.name}-{output}" for output in exports]
    users = stacks.importers(clients.cloudformation, names) if names else ()
    if not users:
        return None
    who = ", ".join(f"`{user}`" for user in users)
    return OpsError(
        f"this makes {', '.join(sorted(made_anew))} anew, and {who} imports what "
        f"`{state.name}` exports of it, so CloudFormation would roll everything back",
        hint=_way_out(plan, users),
    )


def _way_out(plan: Plan, users: tuple[str, ...]) -> str:
    up = f"opsctl {plan.stack.command} up{' --revert-drift' if plan.stack.reverts_drift else ''}"
    kinds = [kind for user in users for kind in _KINDS if user.endswith(f"-{kind}")]
    if kinds == ["alarms"]:
        return f"opsctl alarms down; then: {up}; then: opsctl alarms up"
    return f"take that change back in opsctl.yaml, or remove what imports it, then run: {up}"


def _exports(template: str, made_anew: set[str]) -> Iterator[str]:
    """Yield the exported outputs whose values come from these resources."""
    for name, output in read(template).get("Outputs", {}).items():
        if "Export" in output and made_anew & set(_references(output["Value"])):
            yield name


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for function, argument in value.items():
            if function == "Ref":
                yield argument
            elif function == "Fn::GetAtt":
                yield argument[0]
            else:
                yield from _references(argument)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)
