"""Every answer that a test's client gets has the shape that the service's model promises."""

import json
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

# AWS itself sends values that these do not name: `windows`, a stack's status in its events,
# `MidTerminatingLifecycleAction`.
_MORE = ("PlatformValues", "ResourceStatus", "ScalingActivityStatusCode")


def faithful(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
    """Fail the test for an answer that lacks a member, or has a foreign value or member."""
    if http_response.status_code >= 300 or model.output_shape is None:
        return
    answer = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
    faults = list(_faults(answer, model.output_shape, model.name))
    if model.service_model.metadata["protocol"] == "json" and not model.has_event_stream_output:
        faults += _foreign(
            json.loads(http_response.content or "{}"), model.output_shape, model.name
        )
    assert not faults, "; ".join(faults)


def _faults(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        yield from (f"{path} lacks {name}" for name in shape.required_members if name not in value)
        for name, inner in value.items():
            if name in shape.members:
                yield from _faults(inner, shape.members[name], f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for item in value:
            yield from _faults(item, shape.member, f"{path}[]")
    elif isinstance(shape, MapShape):
        for item in value.values():
            yield from _faults(item, shape.value, f"{path}{{}}")
    else:
        known = getattr(shape, "enum", None)
        if known and shape.name not in _MORE and value not in known:
            yield f"{path} is {value!r}"


def _foreign(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """What botocore's parser drops: members that the model does not have."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, inner in value.items():
            if name in shape.members:
                yield from _foreign(inner, shape.members[name], f"{path}.{name}")
            else:
                yield f"{path} has {name}"
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for item in value:
            yield from _foreign(item, shape.member, f"{path}[]")
