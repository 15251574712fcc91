"""Parse AWS's answers more strictly than botocore, and the largest ones faster.

botocore's parsers check no types: where the service's model has a list of strings, another server's
number would pass, and fail later in a place that knows nothing of answers.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from opsctl.aws.faults import Lacking


def _number(value: Any) -> bool:
    finite = isinstance(value, (int, float)) and math.isfinite(value)
    return finite and not isinstance(value, bool)


def _is(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types)


# The model's word -> whether a value is of that type. AWS never sends NaN, which JSON lacks.
_TYPES: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("string", "character"), _is(str)),
    **dict.fromkeys(("integer", "long", "float", "double"), _number),
    "boolean": _is(bool),
    "list": _is(list),
    "map": _is(dict),
    "structure": _is(dict),
    # CBOR's own type, seconds since 1970, or ISO 8601.
    "timestamp": lambda value: isinstance(value, (datetime, str)) or _number(value),
    "blob": _is(str, bytes),
}


class WrongType(ValueError):
    """A part of an answer has another type than the service's model says."""


class Structure(dict[str, Any]):
    """A part of an answer. A missing key is an error of AWS's, wherever it is looked for."""

    __slots__ = ()

    def __missing__(self, key: str) -> Any:
        raise Lacking(key)


def _check(shape: Any, value: Any) -> None:
    # A document type holds anything.
    if not getattr(shape, "is_document_type", False) and not _TYPES[shape.type_name](value):
        raise WrongType(f"its `{shape.name}` is not a {shape.type_name}")


class _Whole:
    """Mixed into a parser of botocore's: structures miss no key unnoticed."""

    def _parse_shape(self, shape: Any, node: Any) -> Any:
        parsed = super()._parse_shape(shape, node)  # type: ignore[misc]  # botocore's parser
        is_structure = shape.type_name == "structure" and parsed is not None
        return Structure(parsed) if is_structure else parsed


class _Typed(_Whole):
    """For formats with types. XML has none; there botocore converts what is not a text."""

    def _parse_shape(self, shape: Any, node: Any) -> Any:
        _check(shape, node)
        return super()._parse_shape(shape, node)

    def _handle_list(self, shape: Any, node: Any) -> Any:
        _require_members(shape, node)
        return super()._handle_list(shape, node)  # type: ignore[misc]  # botocore's parser


def factory() -> Any:
    """Return botocore's factory of parsers, with ours for the formats of the services we call."""
    from botocore import parsers

    class Json(_Typed, parsers.JSONParser):
        def _handle_json_body(self, raw_body: bytes, shape: Any) -> Any:
            if shape is not None and shape.name == "FilterLogEventsResponse":
                # Its events are strings and plain numbers, so botocore's parsing changes nothing,
                # and takes 85 % of the time of reading a page.
                answer = json.loads(raw_body)
                if isinstance(answer, dict):
                    return answer
            return super()._handle_json_body(raw_body, shape)  # type: ignore[misc]  # untyped

    class Cbor(_Typed, parsers.RpcV2CBORParser):
        pass

    class Query(_Whole, parsers.QueryParser):
        pass

    class Ec2(_Whole, parsers.EC2QueryParser):
        pass

    ours = {"json": Json, "smithy-rpc-v2-cbor": Cbor, "query": Query, "ec2": Ec2}

    class Factory(parsers.ResponseParserFactory):
        def create_parser(self, protocol_name: str) -> Any:
            if protocol_name in ours:
                return ours[protocol_name](**self._defaults)  # type: ignore[attr-defined]  # untyped
            return super().create_parser(protocol_name)

    return Factory()


def _require_members(shape: Any, node: Any) -> None:
    """Refuse null in a list, which botocore lets pass."""
    if None in node:
        raise WrongType(f"its `{shape.name}` holds null")
