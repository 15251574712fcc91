"""The OpenAPI document of a port: FastAPI's own paths, and those that the filters declare."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.front.mounts import Mounted

PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}


def document(generated: Mapping[str, Any], sites: Sequence[Mounted]) -> dict[str, Any]:
    paths = dict(generated.get("paths", {}))
    components = {**generated.get("components", {})}
    components["schemas"] = {**components.get("schemas", {}), "Problem": PROBLEM}
    for one in sites:
        guards = one.site.guards
        if guards and one.site.paths:
            components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        for path, item in one.site.paths.items():
            paths[path] = _guard(item, guards) if guards else item
    return {**generated, "paths": paths, "components": components}


def _guard(item: Mapping[str, Any], guards: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {
            **part,
            "security": [{"bearer": []}],
            "responses": {**part["responses"], **guards},
        }
        if isinstance(part, Mapping) and "responses" in part
        else part
        for name, part in item.items()
    }
