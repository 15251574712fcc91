"""Refuse parameters that a service's model forbids, before anything is done.

AWS validates in this order, too: by required members, values, lengths and patterns of the model.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from opsctl_sandbox.wire import codec
from opsctl_sandbox.wire.calls import Refused
from opsctl_sandbox.wire.codec import Named
from opsctl_sandbox.wire.http import Request

# What a value violates: its path, the value itself, and AWS's words for the rule.
Violation = tuple[str, object, str]
Check = Callable[[Any, str], Iterator[Violation]]
_NOTHING = object()
_CODES = {
    "ec2": "InvalidParameterValue",
    "ecr": "InvalidParameterException",
    "ecs": "InvalidParameterException",
    "elasticache": "InvalidParameterValue",
    "logs": "InvalidParameterException",
}
_SHOWN = 10


def check(named: Named, model: OperationModel, request: Request) -> None:
    """Raise `Refused` in the words of the service; REST calls are not validated."""
    if named.protocol.startswith("rest") or model.input_shape is None:
        return
    parameters = codec.parameters(named, model, request)
    if named.protocol == "json" and request.body:
        # botocore's parser makes a list of a text.
        parameters = json.loads(request.body)
    try:
        violations = list(_check_of(model.input_shape)(parameters, ""))
    except TypeError as error:
        raise codec.unreadable(named, str(error)) from error
    if named.service in ("ec2", "elasticache"):
        # Their models hold no limits, and name fewer values than the services take.
        violations = [one for one in violations if one[1] is _NOTHING]
        if violations:
            raise _without(named.service, violations[0][0])
    elif violations:
        raise _refused(named, violations)


def _without(service: str, path: str) -> Refused:
    name = path.rpartition(".")[2]
    name = name[0].upper() + name[1:]
    if service == "ec2":
        return Refused("MissingParameter", f"The request must contain the parameter {name}")
    sentence = f"The parameter {name} must be provided and must not be blank."
    return Refused(_CODES[service], sentence)


def _refused(named: Named, violations: list[Violation]) -> Refused:
    usual = "ValidationError" if codec.dialect(named) == "query" else "ValidationException"
    sentences = "; ".join(
        f"Value {_shown(value)} at '{path}' failed to satisfy constraint: Member must {rule}"
        for path, value, rule in violations[:_SHOWN]
    )
    count = len(violations)
    head = f"{count} validation error{'s' if count > 1 else ''} detected: "
    return Refused(_CODES.get(named.service, usual), head + sentences)


def _shown(value: object) -> str:
    if value is _NOTHING:
        return "null"
    if isinstance(value, list):
        return f"'[{', '.join(map(str, value))}]'"
    return f"'{value}'"


@cache
def _check_of(shape: Shape) -> Check:
    """Return the check of a shape; made once, because log events come by the thousand."""
    if isinstance(shape, StructureShape):
        return _structure(shape)
    if isinstance(shape, ListShape):
        return _list(shape)
    if isinstance(shape, MapShape):
        return _map(shape)
    return _scalar(shape)


def _structure(shape: StructureShape) -> Check:
    # No service takes a tag without a key, though some models do.
    keys = [name for name in shape.members if shape.name == "Tag" and name in ("key", "Key")]
    required = dict.fromkeys([*shape.required_members, *keys])

    def run(value: Any, path: str) -> Iterator[Violation]:
        _must_be(Mapping, value, path)
        for name in required:
            if value.get(name) is None:
                yield _below(path, name), _NOTHING, "not be null"
        for name, inner in value.items():
            # A shape may hold itself: its members' checks are made when they are used.
            if inner is not None and name in shape.members:
                yield from _check_of(shape.members[name])(inner, _below(path, name))

    return run


def _list(shape: ListShape) -> Check:
    bounds = _bounds(shape, len, "have length")

    def run(value: Any, path: str) -> Iterator[Violation]:
        _must_be(list, value, path)
        yield from bounds(value, path)
        inner = _check_of(shape.member)
        for index, item in enumerate(value, 1):
            yield from inner(item, f"{path}.{index}.member")

    return run


def _map(shape: MapShape) -> Check:
    bounds = _bounds(shape, len, "have length")

    def run(value: Any, path: str) -> Iterator[Violation]:
        _must_be(Mapping, value, path)
        yield from bounds(value, path)
        for key, item in value.items():
            yield from _check_of(shape.key)(key, path)
            yield from _check_of(shape.value)(item, f"{path}.{key}.member")

    return run


def _scalar(shape: Shape) -> Check:
    if shape.type_name == "string":
        return _text(shape)
    if shape.type_name in ("integer", "long", "float", "double"):
        return _number(shape)
    if shape.type_name == "boolean":
        return _truth
    return lambda value, path: iter(())


def _truth(value: Any, path: str) -> Iterator[Violation]:
    _must_be(bool, value, path)
    yield from ()


def _number(shape: Shape) -> Check:
    bounds = _bounds(shape, lambda value: value, "have value")
    whole = shape.type_name in ("integer", "long")

    def run(value: Any, path: str) -> Iterator[Violation]:
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise TypeError(f"{path} must be a number, not {value!r}")
        yield from bounds(value, path)

    return run


def _must_be(kind: type, value: object, path: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{path or 'the request'} has the wrong type: {value!r}")


def _text(shape: Shape) -> Check:
    bounds = _bounds(shape, len, "have length")
    known = getattr(shape, "enum", [])
    text = str(shape.metadata.get("pattern", ""))
    pattern = _pattern(text)

    def run(value: Any, path: str) -> Iterator[Violation]:
        _must_be(str, value, path)
        yield from bounds(value, path)
        if known and value not in known:
            yield path, value, f"satisfy enum value set: [{', '.join(known)}]"
        if pattern and not pattern.fullmatch(value):
            yield path, value, f"satisfy regular expression pattern: {text}"

    return run


def _pattern(text: str) -> re.Pattern[str] | None:
    """Return None for what only Java's regular expressions have, such as `\\p{L}`."""
    if not text or "\\p{" in text or "\\uD" in text or any(0xD800 <= ord(c) < 0xE000 for c in text):
        return None
    try:
        return re.compile(text)
    except re.error:
        return None


def _bounds(shape: Shape, measure: Callable[[Any], float], what: str) -> Check:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")

    def run(value: Any, path: str) -> Iterator[Violation]:
        if least is not None and measure(value) < least:
            yield path, value, f"{what} greater than or equal to {least}"
        if most is not None and measure(value) > most:
            yield path, value, f"{what} less than or equal to {most}"

    return run


def _below(path: str, name: str) -> str:
    """Return the path of a member; AWS writes it in lower camel case."""
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name
