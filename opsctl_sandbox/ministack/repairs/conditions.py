"""Evaluate conditions with every function that AWS allows in them; ministack compares only
parameters and texts, and takes anything else for itself.
"""

from typing import Any

from ministack.services.cloudformation import changesets, engine, handlers, stacks

from opsctl_sandbox.ministack.repairs import templates

Template = dict[str, Any]


def install() -> None:
    original = engine._evaluate_conditions

    def evaluate(template: Template, parameters: dict[str, Any]) -> dict[str, bool]:
        if not template.get("Transform"):
            for problem in templates.of_conditions(template):
                raise ValueError(problem)
        mappings = template.get("Mappings") or {}
        conditions = {
            name: _compared(definition, parameters, mappings)
            for name, definition in (template.get("Conditions") or {}).items()
        }
        result: dict[str, bool] = original({**template, "Conditions": conditions}, parameters)
        return result

    for module in (engine, changesets, handlers, stacks):
        assert module._evaluate_conditions is original
        module._evaluate_conditions = evaluate


def _compared(node: Any, parameters: dict[str, Any], mappings: dict[str, Any]) -> Any:
    """Return a condition with the two values of each `Fn::Equals` in it resolved."""
    if isinstance(node, list):
        return [_compared(one, parameters, mappings) for one in node]
    if not isinstance(node, dict):
        return node
    if "Fn::Equals" in node:
        values = engine._resolve_refs(node["Fn::Equals"], {}, parameters, {}, mappings, "", "")
        return {"Fn::Equals": values}
    return {key: _compared(one, parameters, mappings) for key, one in node.items()}
