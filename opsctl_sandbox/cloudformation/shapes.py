"""Convert CloudFormation properties to the ECS API's input, and compare them.

botocore's input shape decides names and types, so every property arrives complete.
"""

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from opsctl_sandbox.wire import models

Properties = dict[str, Any]
_RENAMED = {"PlacementStrategies": "placementStrategy"}


def to_api(operation: str, properties: Properties) -> Properties:
    """Return CloudFormation properties as the ECS operation's input."""
    model = models.operation("ecs", operation)
    assert model is not None and model.input_shape is not None
    converted: Properties = _shaped(properties, model.input_shape)
    return converted


def only_tags_differ(old: Properties, new: Properties) -> bool:
    """Return whether an update of a task definition needs no new revision."""
    return old != new and {**old, "Tags": []} == {**new, "Tags": []}


def _shaped(value: Any, shape: Shape) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        members = {str(name).lower(): str(name) for name in shape.members}
        shaped: Properties = {}
        for key, inner in value.items():
            name = members.get(str(_RENAMED.get(key) or key).lower())
            if name:
                shaped[name] = _shaped(inner, shape.members[name])
        return shaped
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_shaped(item, shape.member) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {str(k): _shaped(v, shape.value) for k, v in value.items()}
    return _scalar(value, shape.type_name)


def _scalar(value: Any, kind: str) -> Any:
    """Convert a scalar to the property's type: template parameters are strings."""
    if kind in ("integer", "long"):
        return int(value)
    if kind == "boolean":
        return str(value).lower() == "true"
    if kind == "string":
        return str(value)
    return value
