"""Answers that AWS never gives: one place of a whole answer is changed, in the answer's own format.

A proxy, an emulator or a bug of a server may send them, and nothing of botocore's checks types.
"""

import json
import math
import random
import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args
from xml.etree import ElementTree

from botocore.parsers import RpcV2CBORParser

Odd: TypeAlias = Literal[
    "null", "another type", "missing", "more", "twice", "empty", "huge", "deep", "not a number",
    "invisible", "half a character", "unknown word", "negative", "far future",
]  # fmt: skip
ODDS: tuple[Odd, ...] = get_args(Odd)
_GONE = object()
_DEPTH = 10_000
_LONG = 1_000_000
INVISIBLE = "\x1b[2J\x07\x9b31m\u202egpj.exe\u2066\r[/red]\x00"
_XML_INVISIBLE = "\u202egpj.exe\u2066[/red]\x9b31m\u2028"


def changed(body: bytes, kind: str, odd: Odd, dice: random.Random) -> bytes:
    """Return the answer with one oddity, at a place that the dice choose."""
    if body.lstrip()[:1] == b"<":
        return _in_xml(body, odd, dice)
    if "cbor" in kind:
        parser = RpcV2CBORParser(timestamp_parser=_Time)
        whole = parser.parse_data_item(parser.get_peekable_stream_from_bytes(body))
        return _cbor(_in_tree(whole, odd, dice))
    whole = _in_tree(json.loads(body or b"{}"), odd, dice)
    text = json.dumps(whole).replace('"\\u0000deep"', "[" * _DEPTH + "]" * _DEPTH)
    return text.encode()


def _in_tree(whole: Any, odd: Odd, dice: random.Random) -> Any:
    places = [place for place in _places(whole) if _fits(_at(whole, place), odd)]
    place = dice.choice(places or [()])
    value = _CHANGES[odd](_at(whole, place))
    if not place:
        return {} if value is _GONE else value
    parent = _at(whole, place[:-1])
    if value is _GONE:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    return whole


def _places(node: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    items: Any = ()
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, list):
        items = enumerate(node[:3])
    for key, value in items:
        yield from _places(value, (*here, key))


def _at(node: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        node = node[key]
    return node


def _fits(value: Any, odd: Odd) -> bool:
    number = isinstance(value, (int, float, _Time)) and not isinstance(value, bool)
    if odd in ("not a number", "negative", "far future"):
        return number
    if odd in ("invisible", "half a character", "unknown word"):
        return isinstance(value, str)
    if odd in ("more", "twice"):
        return isinstance(value, dict) or (isinstance(value, list) and bool(value))
    return True


def _other(value: Any) -> Any:
    if isinstance(value, str):
        return 7
    if isinstance(value, list):
        return {"0": value}
    if isinstance(value, dict):
        return [value]
    return "text"


def _more(value: Any) -> Any:
    return {**value, "Newest": {"of": ["all"]}} if isinstance(value, dict) else [*value, *value]


def _huge(value: Any) -> Any:
    if isinstance(value, str):
        return (value or "x") * (_LONG // (len(value) or 1))
    if isinstance(value, list):
        return value * 300
    return 10**18 if isinstance(value, (int, float)) else "x" * _LONG


_CHANGES: Mapping[Odd, Callable[[Any], Any]] = {
    "null": lambda value: None,
    "another type": _other,
    "missing": lambda value: _GONE,
    "more": _more,
    "twice": _more,
    "empty": lambda value: type(value)() if not isinstance(value, _Time) else _Time(0),
    "huge": _huge,
    "deep": lambda value: "\0deep",
    "not a number": lambda value: math.nan,
    "invisible": lambda value: f"{value}{INVISIBLE}",
    "half a character": lambda value: f"{value}\ud83d",
    "unknown word": lambda value: "BRAND_NEW",
    "negative": lambda value: _Time(-1) if isinstance(value, _Time) else -1,
    "far future": lambda value: _Time(1e17) if isinstance(value, _Time) else 10**17,
}


class _Time(float):
    """A point in time of CBOR, which has a tag for them."""

    def __new__(cls, value: Any) -> "_Time":
        return super().__new__(cls, value.timestamp() if isinstance(value, datetime) else value)


def _in_xml(body: bytes, odd: Odd, dice: random.Random) -> bytes:
    ElementTree.register_namespace("", _namespace(body))
    root = ElementTree.fromstring(body)
    parents = {child: parent for parent in root.iter() for child in parent}
    leaves = [node for node in root.iter() if not len(node)]
    numbers = [node for node in leaves if (node.text or "")[:4].strip().isdigit()]
    if odd in ("not a number", "negative", "far future"):
        node = dice.choice(numbers or leaves)
        words = {"not a number": "NaN", "negative": "-1", "far future": "9" * 18}
        node.text = words[odd]
    elif odd in ("invisible", "half a character", "unknown word", "huge"):
        node = dice.choice(leaves)
        word = {"unknown word": "BRAND_NEW", "huge": "x" * _LONG}.get(odd, _XML_INVISIBLE)
        node.text = (node.text or "") + word if odd != "unknown word" else word
    else:
        node = dice.choice(list(parents))
        _bend(node, parents[node], odd)
    text: bytes = ElementTree.tostring(root, "utf-8")
    return text.replace(b"DEEP", b"<a>" * _DEPTH + b"</a>" * _DEPTH)


def _bend(node: Any, parent: Any, odd: Odd) -> None:
    if odd == "missing":
        parent.remove(node)
    elif odd == "twice":
        parent.append(node)
    elif odd == "more":
        ElementTree.SubElement(node, "Newest").text = "of all"
    else:
        tag = node.tag
        node.clear()
        node.tag = tag
        node.text = {"another type": "text", "deep": "DEEP"}.get(odd, "")


def _namespace(body: bytes) -> str:
    tag = ElementTree.fromstring(body).tag
    return tag[1:].partition("}")[0] if tag[:1] == "{" else ""


def _cbor(value: Any) -> bytes:
    if isinstance(value, _Time):
        return b"\xc1" + b"\xfb" + struct.pack(">d", value)
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if value == "\0deep":
        return b"\x81" * _DEPTH + b"\x80"
    if isinstance(value, str):
        data = value.encode(errors="surrogatepass")
        return _head(3, len(data)) + data
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(_cbor, value))
    return _head(5, len(value)) + b"".join(_cbor(k) + _cbor(v) for k, v in value.items())


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    return bytes([major << 5 | 27]) + number.to_bytes(8, "big")
