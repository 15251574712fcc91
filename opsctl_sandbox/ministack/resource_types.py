"""ministack's table of CloudFormation resource types; only this module changes it.

A type's handler is a mapping of functions. `create(logical_id, properties, stack)` and
`update(physical_id, old, new, stack, logical_id)` return the physical id and the attributes;
`delete(physical_id, properties)` returns nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]
Handler = Mapping[str, Any]


class ResourceTypes:
    """Replaces handlers, each type once: a second replacement would silently undo the first."""

    def __init__(self) -> None:
        self._table: dict[str, dict[str, Any]] = provisioners._RESOURCE_HANDLERS
        self._replaced: set[str] = set()

    def plain(self, resource_type: str) -> dict[str, Any]:
        """Return ministack's own handler, before it is replaced."""
        return dict(self._table.get(resource_type, {}))

    def replace(self, resource_type: str, handler: Handler) -> None:
        """Replace a handler. Raises ValueError when the type was replaced before."""
        if resource_type in self._replaced:
            raise ValueError(f"{resource_type} has two handlers")
        self._replaced.add(resource_type)
        self._table[resource_type] = {**self.plain(resource_type), **handler}


def handler(
    create: Callable[..., Made], update: Callable[..., Made], delete: Callable[..., None]
) -> Handler:
    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}
