"""The query protocols (`query`, `ec2`): read parameters from a form, write answers as XML."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.utils import parse_timestamp

from opsctl_sandbox.wire.calls import Structure
from opsctl_sandbox.wire.http import Request

Form = Mapping[str, str]
_MISSING = object()
# XML has no control characters, not even escaped: clients could not read the answer.
READABLE = bytes(byte if byte >= 32 or byte in b"\t\n\r" else ord("?") for byte in range(256))


def form(request: Request) -> dict[str, str]:
    fields = dict(parse_qsl(request.query, keep_blank_values=True))
    if "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        fields.update(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    return fields


def parameters(request: Request, model: OperationModel, *, ec2: bool) -> dict[str, Any]:
    if model.input_shape is None:
        return {}
    parsed = _value(form(request), "", model.input_shape, ec2)
    return parsed if isinstance(parsed, dict) else {}


def _value(fields: Form, prefix: str, shape: Shape, ec2: bool) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(fields, prefix, shape, ec2)
    if isinstance(shape, ListShape):
        return _list(fields, prefix, shape, ec2)
    if isinstance(shape, MapShape):
        return _map(fields, prefix, shape, ec2)
    return _scalar(fields[prefix], shape) if prefix in fields else _MISSING


def _structure(fields: Form, prefix: str, shape: StructureShape, ec2: bool) -> Any:
    if prefix and not any(key.startswith(prefix + ".") for key in fields):
        return _MISSING
    members = {}
    for name, member in shape.members.items():
        key = _wire_name(member, name, ec2)
        value = _value(fields, f"{prefix}.{key}" if prefix else key, member, ec2)
        if value is not _MISSING:
            members[name] = value
    return members


def _list(fields: Form, prefix: str, shape: ListShape, ec2: bool) -> Any:
    if fields.get(prefix) == "":
        return []
    member = shape.member
    item_prefix = prefix
    if not ec2:
        if shape.serialization.get("flattened"):
            name = member.serialization.get("name")
            item_prefix = ".".join([*prefix.split(".")[:-1], name]) if name else prefix
        else:
            item_prefix = f"{prefix}.{member.serialization.get('name', 'member')}"
    items = [
        _value(fields, f"{item_prefix}.{i}", member, ec2) for i in _indexes(fields, item_prefix)
    ]
    return items or _MISSING


def _map(fields: Form, prefix: str, shape: MapShape, ec2: bool) -> Any:
    full = prefix if shape.serialization.get("flattened") else f"{prefix}.entry"
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    entries = {
        fields[f"{full}.{i}.{key_name}"]: _value(
            fields, f"{full}.{i}.{value_name}", shape.value, ec2
        )
        for i in _indexes(fields, full)
    }
    return entries or _MISSING


def _indexes(fields: Form, prefix: str) -> list[int]:
    start = len(prefix) + 1
    heads = {key[start:].split(".", 1)[0] for key in fields if key.startswith(prefix + ".")}
    return sorted(int(head) for head in heads if head.isdigit())


def _wire_name(shape: Shape, default: str, ec2: bool) -> str:
    if ec2 and "queryName" in shape.serialization:
        return str(shape.serialization["queryName"])
    name = str(shape.serialization.get("name", default))
    return name[0].upper() + name[1:] if ec2 else name


def _scalar(text: str, shape: Shape) -> Any:
    match shape.type_name:
        case "integer" | "long":
            return int(text)
        case "float" | "double":
            return float(text)
        case "boolean":
            return _truth(text)
        case "timestamp":
            return parse_timestamp(text)
        case "blob":
            return base64.b64decode(text)
        case _:
            return text


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError(f"{text!r} must be true or false")
    return text.lower() in ("true", "1")


def success(result: Structure, model: OperationModel, request_id: str, *, ec2: bool) -> bytes:
    shape = model.output_shape
    namespace = escape(model.metadata.get("xmlNamespace", ""))
    name = model.name
    inner = _members(result, shape) if isinstance(shape, StructureShape) else ""
    if ec2:
        inner = f"<requestId>{request_id}</requestId>{inner}"
        return f'<{name}Response xmlns="{namespace}">{inner}</{name}Response>'.encode()
    wrapper = (
        shape.serialization.get("resultWrapper", f"{name}Result") if shape else f"{name}Result"
    )
    metadata = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    body = f"<{wrapper}>{inner}</{wrapper}>{metadata}"
    return f'<{name}Response xmlns="{namespace}">{body}</{name}Response>'.encode()


def _members(value: Structure, shape: StructureShape) -> str:
    parts = []
    for name, item in value.items():
        if item is not None:
            member = shape.members[name]
            parts.append(_element(str(member.serialization.get("name", name)), item, member))
    return "".join(parts)


def _element(name: str, value: Any, shape: Shape) -> str:
    if isinstance(shape, ListShape):
        if shape.serialization.get("flattened"):
            item = str(shape.member.serialization.get("name", name))
            return "".join(_element(item, one, shape.member) for one in value)
        item = str(shape.member.serialization.get("name", "member"))
        inner = "".join(_element(item, one, shape.member) for one in value)
    elif isinstance(shape, MapShape):
        key = str(shape.key.serialization.get("name", "key"))
        item = str(shape.value.serialization.get("name", "value"))
        entries = [
            _element(key, one, shape.key) + _element(item, two, shape.value)
            for one, two in value.items()
        ]
        if shape.serialization.get("flattened"):
            return "".join(f"<{name}>{entry}</{name}>" for entry in entries)
        inner = "".join(f"<entry>{entry}</entry>" for entry in entries)
    elif isinstance(shape, StructureShape):
        inner = _members(value, shape)
    else:
        inner = _text(value)
    return f"<{name}>{inner}</{name}>"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return escape(str(value))
