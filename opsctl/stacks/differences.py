"""Show what differs between two values of a property, which CloudFormation gives as texts.

A list or structure is JSON, such as all containers of a task definition; only what differs in it is
worth a line.
"""

import json
from collections.abc import Iterator
from typing import Any

_LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"
_WIDTH = 60
_ABSENT = object()


def differences(before: str | None, after: str | None) -> list[tuple[str, str, str]]:
    """Return where the values differ (`[0].Memory`, or ''), and how each reads there."""
    old, new = _read(before), _read(after)
    if isinstance(old, dict | list) and type(old) is type(new):
        return [(path, _text(a), _text(b)) for path, a, b in _walk(old, new, "")]
    return [("", _text(before), _text(after))]


def _read(value: str | None) -> Any:
    if not value or value[0] not in "[{":
        return value
    try:
        return json.loads(value)
    except ValueError:  # CloudFormation cuts large values
        return value


def _walk(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _walk(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{path}.{key}")
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            a, b = (one[index] if index < len(one) else _ABSENT for one in (old, new))
            yield from _walk(a, b, f"{path}[{index}]")
    elif old != new:
        yield path, old, new


def _text(value: Any) -> str:
    if value is None or value is _ABSENT:
        return "(none)"
    if value == _LATER:
        return "(known after apply)"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
