"""The JSON Schema of `opsctl.yaml`, for editors."""

from typing import Any

from opsctl.config import names
from opsctl.config.model import Config


def schema() -> dict[str, Any]:
    """Return a draft 2020-12 schema.

    An overlay of `environments` accepts every section and requires none.
    """
    made = Config.model_json_schema()
    properties, definitions = made["properties"], made["$defs"]
    del properties["environment"]
    # The partial copies refer to each other: an overlay's `ecs` may hold half a `breaker`.
    partial = {f"{name}Overlay": _partial(section) for name, section in definitions.items()}
    overlay = {"type": "object", "additionalProperties": False, "properties": _partial(properties)}
    definitions |= partial
    properties["environments"] = {
        "type": "object",
        "propertyNames": {"pattern": f"^{names.ENVIRONMENT.pattern}$"},
        "additionalProperties": overlay,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "opsctl.yaml",
    }


def _partial(node: Any) -> Any:
    if isinstance(node, list):
        return [_partial(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: f"{value}Overlay" if key == "$ref" else _partial(value)
        for key, value in node.items()
        if key not in ("required", "default")
    }
