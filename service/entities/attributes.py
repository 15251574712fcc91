"""Parse query text into attributes. Bare characters are syntax; percent-encoded ones are data."""

import re
from collections.abc import Iterator

import orjson

from service.entities.commands import Change
from service.entities.percent import decode
from service.errors import FilterError

_COMMAND = re.compile(r"\$([A-Z]+)(?:\((.*)\)|\[(.*)\])?", re.DOTALL)
_FLOAT = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

# Text without syntax or encoding that is its own JSON when quoted: nearly every value.
is_plain = re.compile(r"[A-Za-z0-9_.,:;/@!*'()~=?-][A-Za-z0-9_.,:;/@!*'()~=?\[\]$ -]*").fullmatch

# Beyond this a double does not hold every integer; update.lua has the same limit.
NUMBER_LIMIT = 2.0**53
NUMBER_LENGTH = 64  # characters, checked before any pattern sees the text


def pairs(query: str) -> Iterator[tuple[str, str]]:
    """Yield the decoded name and the raw value of each parameter."""
    for parameter in query.split("&"):
        if parameter:
            name, _, value = parameter.partition("=")
            yield decode(name.replace("+", " ")), value


def value(raw: str) -> bytes:
    """Return a text or a `[list]` as JSON."""
    if is_plain(raw):
        return b'"%b"' % raw.encode()
    if not raw.startswith("["):
        return orjson.dumps(_text(raw))
    if not raw.endswith("]"):
        raise FilterError(400, "a list that begins with [ must end with ]")
    return b"[" + _items(raw[1:-1]) + b"]"


def change(name: bytes, raw: str) -> Change:
    """Parse what a POST says about an attribute: a new value, or one of the `$` commands."""
    if not raw.startswith("$"):
        return Change(name, "set", value(raw))
    command = _COMMAND.fullmatch(raw)
    if command is None:
        raise FilterError(400, "a value that begins with $ must be a command; write %24 for a text")
    word, round_brackets, square_brackets = command.groups()
    items = round_brackets if square_brackets is None else square_brackets
    match word:
        case "INCR" if items is None:
            return Change(name, "add", b"1")
        case "DELETE" if items is None:
            return Change(name, "delete")
        case "ADD" if round_brackets is not None:
            return Change(name, "add", _number(_text(round_brackets)))
        case "APPEND" if items is not None:
            return Change(name, "append", _items(items))
        case "PREPEND" if items is not None:
            return Change(name, "prepend", _items(items))
    raise FilterError(
        400, "the commands are $INCR, $ADD(number), $APPEND[items], $PREPEND[items] and $DELETE"
    )


def _text(raw: str) -> str:
    return decode(raw.replace("+", " "))


def _items(raw: str) -> bytes:
    return orjson.dumps([_text(item) for item in raw.split(",")])[1:-1] if raw else b""


def _number(text: str) -> bytes:
    if (
        len(text) > NUMBER_LENGTH
        or not _FLOAT.fullmatch(text)
        or not abs(float(text)) < NUMBER_LIMIT
    ):
        raise FilterError(400, "$ADD needs a number between -2^53 and 2^53")
    return b"%.17g" % float(text)
