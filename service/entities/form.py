"""Turn a write command back into the request that a client would send."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias
from urllib.parse import quote

import orjson

from service.entities.commands import Change, Delete, Replace, Update

Write: TypeAlias = Replace | Update | Delete


def request(write: Write) -> Mapping[str, str]:
    """Return method, key and form.

    `form` is a query or a form; `key` is the entity's key in Redis.
    """
    key = {"key": write.entity.store_key.decode()}
    match write:
        case Delete():
            return {"method": "DELETE", **key}
        case Replace(members=members):
            pairs = zip(members[::2], members[1::2], strict=True)
            sent = {
                "method": "PUT",
                **key,
                "form": _form((n, _value(v)) for n, v in pairs),
            }
        case Update():
            sent = {
                "method": "POST",
                **key,
                "form": _form((c.name, _change(c)) for c in write.changes),
            }
    return {**sent, "last_update": orjson.loads(write.last_update)}


def _form(pairs: Iterable[tuple[bytes, str]]) -> str:
    return "&".join(f"{_text(orjson.loads(name))}={value}" for name, value in pairs)


def _change(change: Change) -> str:
    match change.verb:
        case "set":
            return _value(change.argument)
        case "delete":
            return "$DELETE"
        case "add":
            return f"$ADD({_text(change.argument.decode())})"
    return f"${change.verb.upper()}{_value(b'[%b]' % change.argument)}"


def _value(value: bytes) -> str:
    decoded = orjson.loads(value)
    return f"[{','.join(map(_text, decoded))}]" if isinstance(decoded, list) else _text(decoded)


def _text(text: str) -> str:
    return quote(text, safe="")
