"""The keywords of JSON Schema as CloudFormation judges by them.

Everything in a template may be a text: "8" counts as a number and 8 as a text. What is not known
before another resource exists, is right. The message of an error is what its sentence is about.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend

from opsctl_sandbox.ministack.resource_schemas import UNKNOWN

Errors: TypeAlias = Iterator[ValidationError]
Keyword: TypeAlias = Callable[[Any, Any, Any, Mapping[str, Any]], Errors]
_WORDS = {"object": "JSONObject", "array": "JSONArray", "string": "String", "boolean": "Boolean"}
_SCALARS = (str, bool, int, float)


def _is(value: Any, kind: str) -> bool:
    if kind == "object":
        return isinstance(value, dict)
    if kind == "array":
        return isinstance(value, list)
    if kind == "string":
        return isinstance(value, _SCALARS)
    if kind == "boolean":
        return str(value).lower() in ("true", "false") and isinstance(value, _SCALARS)
    number = _number(value)
    return number is not None and (kind == "number" or number.is_integer())


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _text(value: Any) -> str:
    """Return a scalar as it stands in a template."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _type(_: Any, kinds: Any, value: Any, schema: Mapping[str, Any]) -> Errors:
    wanted = [kinds] if isinstance(kinds, str) else kinds
    if any(_is(value, kind) for kind in wanted):
        return
    kind = type(value)
    words = {dict: "JSONObject", list: "JSONArray", bool: "Boolean", int: "Integer"}
    expected = " or ".join(_WORDS.get(one, "Number") for one in wanted)
    yield ValidationError(f"{expected}, found: {words.get(kind, 'String')}")


def _enum(_: Any, allowed: Any, value: Any, schema: Mapping[str, Any]) -> Errors:
    texts = [_text(one) for one in allowed]
    if isinstance(value, _SCALARS) and _text(value) not in texts:
        supported = ", ".join(texts)
        yield ValidationError(
            f"{_text(value)} is not a valid enum value. Supported values: [{supported}]"
        )


def _const(validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Errors:
    return _enum(validator, [wanted], value, schema)


def _required(_: Any, names: Any, value: Any, schema: Mapping[str, Any]) -> Errors:
    if isinstance(value, dict):
        yield from (ValidationError(name) for name in names if name not in value)


def _additional(_: Any, allowed: Any, value: Any, schema: Mapping[str, Any]) -> Errors:
    if not isinstance(value, dict) or allowed is not False:
        return
    patterns = [re.compile(one) for one in schema.get("patternProperties", ())]
    for name in value:
        known = name in schema.get("properties", ())
        if not known and not any(one.search(name) for one in patterns):
            yield ValidationError(name)


def _pattern(_: Any, pattern: str, value: Any, schema: Mapping[str, Any]) -> Errors:
    if isinstance(value, _SCALARS) and not re.search(pattern, _text(value)):
        yield ValidationError(pattern)


def _bound(right: Callable[[float, float], bool]) -> Keyword:
    def judged(_: Any, bound: float, value: Any, schema: Mapping[str, Any]) -> Errors:
        number = _number(value)
        if number is not None and not right(number, bound):
            yield ValidationError(str(bound))

    return judged


def _size(kinds: tuple[type, ...], middle: str, right: Callable[[int, int], bool]) -> Keyword:
    def judged(_: Any, bound: int, value: Any, schema: Mapping[str, Any]) -> Errors:
        if not isinstance(value, kinds):
            return
        size = len(value) if isinstance(value, (dict, list)) else len(_text(value))
        if not right(size, bound):
            yield ValidationError(f"{bound}, {middle}: {size}")

    return judged


def _unique(_: Any, wanted: bool, value: Any, schema: Mapping[str, Any]) -> Errors:
    if wanted and isinstance(value, list) and not _holds_unknown(value):
        texts = [repr(one) for one in value]
        if len(set(texts)) < len(texts):
            yield ValidationError("items")


def _some(most: int) -> Keyword:
    """Return the keyword that wants at least one of several schemas, and at most so many."""

    def judged(validator: Any, schemas: Any, value: Any, schema: Mapping[str, Any]) -> Errors:
        if _holds_unknown(value):
            return
        errors = [
            list(validator.descend(value, one, schema_path=index))
            for index, one in enumerate(schemas)
        ]
        right = sum(not one for one in errors)
        if right == 0:
            yield from (error for one in errors for error in one)
        elif right > most:
            yield ValidationError(str(right))

    return judged


def _not(validator: Any, wrong: Any, value: Any, schema: Mapping[str, Any]) -> Errors:
    if not _holds_unknown(value) and not list(validator.descend(value, wrong)):
        yield ValidationError("not")


def _holds_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return any(_holds_unknown(one) for one in value)
    return value is UNKNOWN


def _at_most(size: float, bound: float) -> bool:
    return size <= bound


def _at_least(size: float, bound: float) -> bool:
    return size >= bound


_KEYWORDS: Mapping[str, Keyword] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "required": _required,
    "additionalProperties": _additional,
    "pattern": _pattern,
    "minimum": _bound(_at_least),
    "maximum": _bound(_at_most),
    "exclusiveMinimum": _bound(lambda value, bound: value > bound),
    "exclusiveMaximum": _bound(lambda value, bound: value < bound),
    "multipleOf": _bound(lambda value, bound: (value / bound).is_integer()),
    "minLength": _size(_SCALARS, "actual", _at_least),
    "maxLength": _size(_SCALARS, "actual", _at_most),
    "minItems": _size((list,), "found", _at_least),
    "maxItems": _size((list,), "found", _at_most),
    "minProperties": _size((dict,), "found", _at_least),
    "maxProperties": _size((dict,), "found", _at_most),
    "uniqueItems": _unique,
    "oneOf": _some(1),
    "anyOf": _some(1000),
    "not": _not,
}


def _of_known(keyword: Keyword) -> Keyword:
    def judged(validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Errors:
        if value is not UNKNOWN:
            yield from keyword(validator, wanted, value, schema)

    return judged


VALIDATOR: Any = extend(  # type: ignore[no-untyped-call]
    Draft7Validator, {name: _of_known(keyword) for name, keyword in _KEYWORDS.items()}
)
