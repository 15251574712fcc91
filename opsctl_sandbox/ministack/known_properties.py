"""What is known of a resource's properties before anything is made: all that follows from the
template and its parameters. The rest is `UNKNOWN`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ministack.services.cloudformation import engine

from opsctl_sandbox.ministack.resource_schemas import UNKNOWN, Violation, violations

Document = dict[str, Any]
# Answered by the account, or by what another stack exports.
_ELSEWHERE = frozenset({"Fn::GetAtt", "Fn::GetAZs", "Fn::GetStackOutput", "Fn::ImportValue"})


@dataclass(frozen=True)
class Planned:
    """A template with its parameters, as it is planned for a stack."""

    template: Document
    parameters: Document
    conditions: Document
    """By name, whether it is true."""
    stack: str
    stack_id: str

    def resources(self) -> Iterator[tuple[str, str, Document]]:
        """Yield logical id, type and known properties of what the conditions allow."""
        for name, definition in (self.template.get("Resources") or {}).items():
            if self.conditions.get(definition.get("Condition"), True):
                known = self._known(definition.get("Properties") or {})
                if isinstance(known, dict):
                    yield name, definition.get("Type", ""), known

    def violations(self) -> Iterator[tuple[str, str, Violation]]:
        """Yield logical id, type and what is wrong, of every property that AWS would refuse."""
        for name, kind, properties in self.resources():
            yield from ((name, kind, one) for one in violations(kind, properties))

    def _known(self, value: Any) -> Any:
        if isinstance(value, str):
            return UNKNOWN if "{{resolve:" in value else value
        if isinstance(value, list):
            items = [self._known(one) for one in value]
            return [one for one in items if one is not engine._NO_VALUE]
        if not isinstance(value, dict):
            return value
        if "Fn::Transform" in value:
            return UNKNOWN
        if len(value) == 1:
            [(function, argument)] = value.items()
            if function == "Fn::If" and isinstance(argument, list) and len(argument) == 3:
                chosen = argument[1] if self.conditions.get(argument[0]) else argument[2]
                return self._known(chosen)
            if function == "Ref" or function.startswith("Fn::"):
                return self._computed(value)
        members = {name: self._known(one) for name, one in value.items()}
        return {name: one for name, one in members.items() if one is not engine._NO_VALUE}

    def _computed(self, value: Document) -> Any:
        """Return what a function returns, unless it needs what is not there yet."""
        resources = self.template.get("Resources") or {}
        named = {name for name, _ in engine._intrinsic_references(value)}
        if named & set(resources) or _functions(value) & _ELSEWHERE:
            return UNKNOWN
        mappings = self.template.get("Mappings") or {}
        arguments = (self.parameters, self.conditions, mappings, self.stack, self.stack_id)
        try:
            computed = engine._resolve_refs(value, {}, *arguments)
        except (ValueError, KeyError, IndexError, TypeError):
            return UNKNOWN
        return UNKNOWN if isinstance(computed, dict) else self._known(computed)


def _functions(value: Any) -> set[str]:
    """Return every key in a value, which has the names of its functions among them."""
    if isinstance(value, dict):
        return set(value).union(*map(_functions, value.values()))
    return set().union(*map(_functions, value)) if isinstance(value, list) else set()
