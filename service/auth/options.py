"""Parse option strings of `reauth`, `key=value,key=value`, with Go's booleans and durations.

Everything raises ValueError with a text for the Caddyfile's author; the caller adds the place.
"""

import json
import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "\u03bcs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_AMOUNT = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)", re.ASCII)


def pairs(text: str, allowed: Collection[str] | None = None) -> Mapping[str, str]:
    """Split at commas; the last of equal keys wins.

    A piece without `=` belongs to the previous value, and so does everything up to the closing
    quote of a quoted value.
    """
    given: dict[str, str] = {}
    key = ""
    for piece in text.split(","):
        open_quote = bool(key) and _is_open(given[key])
        if open_quote or (key and "=" not in piece):
            given[key] += "," + piece
            continue
        key, equals, value = piece.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ValueError(
                "unable to parse options string, missing pair: configuration has to be in form"
                f" 'key1=value1,key2=..', but was '{piece}'"
            )
        if allowed is not None and key not in allowed:
            raise ValueError(f"unknown option {key}; allowed are {', '.join(allowed)}")
        given[key] = value
    return {key: _unquoted(value) for key, value in given.items()}


def _is_open(value: str) -> bool:
    return value.startswith('"') and (len(value) == 1 or not value.endswith('"'))


def _unquoted(value: str) -> str:
    if len(value) < 2 or not (value.startswith('"') and value.endswith('"')):
        return value
    try:
        text = json.loads(value)
    except ValueError:
        return value
    return str(text)


def boolean(options: Mapping[str, str], key: str) -> bool:
    text = options.get(key, "false")
    if text not in _BOOLEANS:
        raise ValueError(f"unable to parse {key} {text}: allowed are true and false")
    return _BOOLEANS[text]


def duration(options: Mapping[str, str], key: str, default: float) -> float:
    """Return seconds. Parses Go's durations, except negative ones."""
    text = options.get(key)
    if text is None:
        return default
    if text == "0":
        return 0.0
    amounts = list(_AMOUNT.finditer(text))
    if not amounts or "".join(amount[0] for amount in amounts) != text:
        raise ValueError(
            f"unable to parse {key} {text}: a duration is a number and a unit"
            " (ns, us, ms, s, m, h), such as 5s or 1h30m"
        )
    return sum(float(amount[1]) * _SECONDS[amount[2]] for amount in amounts)


def positive_duration(options: Mapping[str, str], key: str, default: float) -> float:
    seconds = duration(options, key, default)
    if seconds <= 0:
        raise ValueError(f"unable to parse {key} {options[key]}: it has to be more than 0")
    return seconds


def integer(options: Mapping[str, str], key: str, default: int) -> int:
    text = options.get(key, str(default))
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise ValueError(f"unable to parse {key} {text}: a number is needed")
    return int(text)


def http_url(options: Mapping[str, str], key: str = "url") -> str:
    """Return an absolute http or https URL without a trailing slash."""
    text = options.get(key)
    if not text:
        raise ValueError(f"{key} is a required parameter")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"unable to parse {key} {text}: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"unable to parse {key} {text}: http://HOST or https://HOST is needed")
    if parts.query or parts.fragment or parts.username is not None or not text.isprintable():
        raise ValueError(f"unable to parse {key}: a query, a fragment or a user is not allowed")
    return text.rstrip("/")
