"""Parse a message: its level, its text and, as JSON or logfmt, its fields. Pure."""

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

LEVELS: Mapping[str, int] = {
    "trace": 0,
    "debug": 1,
    "info": 2,
    "notice": 2,
    "warning": 3,
    "error": 4,
    "critical": 5,
    "fatal": 5,
    "panic": 5,
}
_ALIASES = {"warn": "warning", "err": "error", "crit": "critical", "emerg": "panic"}
# pino and bunyan count in tens; syslog, and so GELF, from 0 (worst) to 7.
_PINO = ("trace", "trace", "debug", "info", "warning", "error", "fatal")
_SYSLOG = ("panic", "critical", "critical", "error", "warning", "notice", "info", "debug")
# Python's numbers, in `levelno`.
_PYTHON = ("trace", "debug", "info", "warning", "error", "critical")

# characters that are searched: a level stands at the beginning, and searching is expensive
_HEAD = 80
_UPPER = "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|PANIC"
_LOWER = "trace|debug|info|notice|warn|warning|error|err|crit|critical|fatal|panic"
# `level=info` (the ECS agent), `[error]`, or a word in capitals; "no error" in prose does not
# count.
_WORD = re.compile(rf'\blevel="?([a-z]+)|\[({_LOWER})\]|\b({_UPPER})\b')
# Without one of these the search cannot match; checking them costs a quarter of it.
_HINTS = ("ERR", "WARN", "INFO", "DEBUG", "TRACE", "NOTI", "CRIT", "FATAL", "PANIC", "level=")
# The usual forms of the words in a line, with their levels.
_TOKENS = {
    form.format(word): _ALIASES.get(word.lower(), word.lower())
    for words, forms in (
        (_UPPER, ("{}", "{}:", "[{}]", "[{}]:", "<{}>", "({})", "{},", "|{}|")),
        (_LOWER, ("[{}]", "[{}]:", "level={}", 'level="{}"')),
    )
    for word in words.split("|")
    for form in forms
}
_LEVEL_KEYS = ("level", "severity", "levelname", "lvl", "log.level")
_TEXT_KEYS = ("message", "msg", "error", "event")
_TIME_KEYS = ("time", "timestamp", "ts", "@timestamp", "t")
_PAIR = re.compile(r'([A-Za-z_@][\w.@/-]*)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?:\s+|$)')
_KEY = re.compile(r"[A-Za-z_@][\w.@/-]*=")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


class Message(NamedTuple):
    level: str  # "" when the message names none
    text: str
    fields: Mapping[str, Any] | None = None


# Creating a tuple directly costs half of what Message(…) does.
_plain = partial(tuple.__new__, Message)


def read(raw: str) -> Message:
    if raw.startswith("{"):
        try:
            fields = _DECODER.decode(raw)
        except (ValueError, RecursionError):
            pass  # only looks like JSON, or is nested maliciously: plain text
        else:
            return _from(fields) if fields else Message("", raw.rstrip("\r\n"))
    elif raw.find("=", 0, _HEAD) > 0 and _KEY.match(raw) and (pairs := _logfmt(raw)):
        return _from(pairs)
    return _plain((_level(raw), raw.rstrip("\r\n"), None))


def known(word: str) -> str:
    """Return the level that a word or a number means, or ''."""
    lower = word.lower()
    if lower.isdecimal() and len(lower) <= 2:
        return _numbered(int(lower))
    lower = _ALIASES.get(lower, lower)
    return lower if lower in LEVELS else ""


def laid_out(message: Message) -> str:
    """Return the fields as `text key=value …`, without level and time; other messages unchanged."""
    if message.fields is None:
        return message.text
    said = {*_LEVEL_KEYS, *_TIME_KEYS}
    parts = [message.text] if message.text else []
    text_key = next((key for key in _TEXT_KEYS if message.fields.get(key) == message.text), None)
    for key, value in message.fields.items():
        if key not in said and key != text_key:
            parts.append(f"{key}={shown(value)}")
    return " ".join(parts)


def shown(value: Any) -> str:
    """Return a field's value as text: JSON, except for text itself."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except RecursionError:
        return "…"


def field(message: Message, path: str) -> Any:
    """Return the field of this name or path (`request.uri`); None if there is none."""
    fields: Any = message.fields
    if fields is None or path in fields:
        return None if fields is None else fields[path]
    for name in path.split("."):
        if not isinstance(fields, Mapping) or name not in fields:
            return None
        fields = fields[name]
    return fields


def _level(raw: str) -> str:
    head = raw[:_HEAD]
    if head.islower() and "[" not in head and "level=" not in head:
        return ""
    tokens = head.split(None, 6)
    if not _TOKENS.keys().isdisjoint(tokens):
        return next(_TOKENS[token] for token in tokens if token in _TOKENS)
    for hint in _HINTS:
        if hint in head:
            match = _WORD.search(head)
            return known(match[match.lastindex or 0]) if match else ""
    return ""


def _logfmt(raw: str) -> Mapping[str, str] | None:
    """Parse `key=value key="a b"`. Returns None for anything but two or more such pairs."""
    pairs: dict[str, str] = {}
    at, end = 0, len(raw)
    while at < end:
        pair = _PAIR.match(raw, at)
        if pair is None:
            return None
        quoted, bare = pair[2], pair[3]
        pairs[pair[1]] = bare if quoted is None else re.sub(r"\\(.)", _unescaped, quoted)
        at = pair.end()
    return pairs if len(pairs) > 1 else None


def _unescaped(escape: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "r": "\r"}.get(escape[1], escape[1])


def _from(fields: Mapping[str, Any]) -> Message:
    level = next((name for key in _LEVEL_KEYS if (name := _meaning(fields.get(key)))), "")
    level = level or _python(fields.get("levelno"))
    text = next((fields[key] for key in _TEXT_KEYS if isinstance(fields.get(key), str)), "")
    return Message(level, text.rstrip("\r\n"), fields)


def _meaning(value: Any) -> str:
    if isinstance(value, str):
        return known(value)
    return _numbered(value) if type(value) is int else ""


def _numbered(number: int) -> str:
    if 0 <= number < len(_SYSLOG):
        return _SYSLOG[number]
    return _PINO[number // 10] if 10 <= number <= 60 else ""


def _python(number: Any) -> str:
    return _PYTHON[number // 10] if type(number) is int and 0 <= number <= 50 else ""
