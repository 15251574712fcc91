"""The exports of stacks: each name once, and no change of what another stack imports.

Sources are in docs/aws-facts.md.
"""

from collections.abc import Mapping
from typing import Any

from ministack.services.cloudformation import _exports, _stacks, handlers

Exports = Mapping[str, Mapping[str, Any]]


def users(export: str, owner: str) -> list[str]:
    """Return the names of the stacks that import it."""
    return [
        name
        for name, stack in _stacks.items()
        if name != owner
        and stack.get("StackStatus") != "DELETE_COMPLETE"
        and export in handlers._imported_export_names(stack, name)
    ]


def refusal(owner: str, stack_id: str, exports: Exports) -> str:
    """Return why a stack may not have these exports in place of those it has; '' when it may."""
    for name in exports:
        other = _exports.get(name)
        if other is not None and other["StackId"] != stack_id:
            stack = str(other["StackId"]).split("/")[1]
            return f"Export with name {name} is already exported by stack {stack}"
    for name, before in _of(stack_id).items():
        if name in exports and exports[name]["Value"] == before["Value"]:
            continue
        if importers := users(name, owner):
            return in_use(name, importers, "updated" if name in exports else "deleted")
    return ""


def in_use(export: str, importers: list[str], verb: str = "deleted") -> str:
    return f"Export {export} cannot be {verb} as it is in use by {' and '.join(importers)}"


def replace(stack_id: str, exports: Exports) -> None:
    for name in _of(stack_id):
        del _exports[name]
    _exports.update(exports)


def _of(stack_id: str) -> dict[str, Any]:
    return {name: one for name, one in _exports.items() if one["StackId"] == stack_id}
