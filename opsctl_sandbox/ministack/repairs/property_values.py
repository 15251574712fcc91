"""What a property is before and after a change set, as `IncludePropertyValues` wants to know."""

import json
from typing import Any

from ministack.services.cloudformation import engine

from opsctl_sandbox.wire.calls import Structure

_LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"
_HIDDEN = "****"
Template = dict[str, Any]


def with_values(resource: Structure, change_set: Structure, held: Structure) -> dict[str, Any]:
    """Return a resource's change with the values of each property that it names.

    `held` is the stack's record of its resources.
    """
    name = resource["LogicalResourceId"]
    template: Template = change_set.get("_template") or {}
    definition = (template.get("Resources") or {}).get(name) or {}
    before = (held.get(name) or {}).get("Properties") or {}
    details = [
        _valued(detail, before, definition.get("Properties") or {}, change_set, held)
        for detail in resource.get("Details", ())
    ]
    return {**resource, "Details": details}


def _valued(
    detail: Structure, before: Structure, after: Structure, change_set: Structure, held: Structure
) -> Structure:
    target = detail.get("Target", {})
    name = target.get("Name", "")
    if target.get("Attribute") != "Properties" or not name:
        return detail
    values = {
        "BeforeValue": _text(before.get(name)),
        "AfterValue": _after(detail, after.get(name), change_set, held),
    }
    if _secret(after.get(name), change_set["_template"]):
        values = {key: _HIDDEN for key, value in values.items() if value is not None}
    known = {key: value for key, value in values.items() if value is not None}
    return {**detail, "Target": {**target, "Path": f"/Properties/{name}", **known}}


def _after(detail: Structure, value: Any, change_set: Structure, held: Structure) -> str | None:
    if value is None:
        return None
    template, parameters = change_set["_template"], change_set["_resolved_params"]
    # ministack takes `Ref: AWS::NoValue` for a resource.
    resources = template.get("Resources") or {}
    references = engine._intrinsic_references({"value": value})
    if detail.get("Evaluation") == "Dynamic" and any(name in resources for name, _ in references):
        return _LATER
    conditions = engine._evaluate_conditions(template, parameters)
    mappings = template.get("Mappings") or {}
    stack = change_set["StackName"], change_set["StackId"]
    try:
        resolved = engine._resolve_refs(value, held, parameters, conditions, mappings, *stack)
    except (KeyError, ValueError):
        return _LATER
    return None if resolved is engine._NO_VALUE else _text(resolved)


def _secret(value: Any, template: Template) -> bool:
    """Return whether it comes from a parameter that nobody may see, or from another service."""
    hidden = {
        name
        for name, one in (template.get("Parameters") or {}).items()
        if str(one.get("NoEcho")).lower() == "true"
    }
    if "{{resolve:" in json.dumps(value, default=str):
        return True
    return any(name in hidden for name, _ in engine._intrinsic_references({"value": value}))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, separators=(",", ":"), default=str)
