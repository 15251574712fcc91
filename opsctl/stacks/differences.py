"""What differs between two values of a property, of which CloudFormation gives the whole. Pure.

A value of a setting whose name looks like a secret's is left out.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opsctl.config.secret_words import looks_secret

# What stands for a value that CloudFormation does not know before the change.
_LATER, _IN_WORDS = "{{changeSet:KNOWN_AFTER_APPLY}}", "known afterwards"
_LONGEST = 60
_ABSENT = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value; `name` is the property's, with the way to the value in it."""

    name: str
    before: str
    after: str


def between(name: str, before: str | None, after: str | None) -> tuple[Difference, ...]:
    """Return what differs; nothing if CloudFormation gave no values."""
    if not before and not after:
        return ()
    return tuple(_differences(name, name, _parsed(before), _parsed(after)))


def _parsed(text: str | None) -> Any:
    if text is None or not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _differences(path: str, name: str, before: Any, after: Any) -> Iterator[Difference]:
    if before == after:
        return
    old, new = _parts(before), _parts(after)
    # Of what is new or gone as a whole, the whole is said.
    if name == "UserData" and before and after:  # base64
        yield Difference(path, "the script", "another script")
    elif old is None or new is None:
        yield Difference(path, _shown(name, before), _shown(name, after))
    else:
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(f"{path}.{key}", key, old.get(key), new.get(key))


def _parts(value: Any) -> dict[str, Any] | None:
    """Return a mapping's values, and a list's by the names of its members or their places."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        return None
    named = all(isinstance(one, dict) and "Name" in one for one in value)
    if not named:
        return {str(place): one for place, one in enumerate(value)}
    # A pair of name and value is the value.
    return {one["Name"]: one["Value"] if set(one) == {"Name", "Value"} else one for one in value}


def _shown(name: str, value: Any) -> str:
    if value is None:
        return _ABSENT
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if looks_secret(name):
        return "***"
    text = text.replace(_LATER, _IN_WORDS)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
