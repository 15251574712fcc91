"""What a message says of itself: its level, its text and, when it is JSON, its fields. Pure."""

import json
import re
from collections.abc import Mapping
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
# `level=info` (the ECS agent), `[error]`, or a word in capitals: prose like "no error" is no level.
_WORD = re.compile(
    r'\blevel="?([a-z]+)'
    r"|\[(trace|debug|info|notice|warn|warning|error|err|crit|critical|fatal|panic)\]"
    r"|\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|PANIC)\b"
)
_HEAD = 80  # characters: a level stands at the beginning, and searching is what costs
_LEVEL_KEYS = ("level", "severity", "levelname", "lvl")
_TEXT_KEYS = ("message", "msg", "error", "event")
_TIME_KEYS = ("time", "timestamp", "ts", "@timestamp")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


class Message(NamedTuple):
    level: str  # "" when it says nothing
    text: str
    fields: Mapping[str, Any] | None = None


def read(raw: str) -> Message:
    if raw.startswith("{"):
        try:
            fields = _DECODER.decode(raw)
        except (ValueError, RecursionError):
            pass  # looks like JSON, or is nested to do harm: plain text
        else:
            return _from_json(fields)
    found = _WORD.search(raw, 0, _HEAD)
    return Message(known(found[found.lastindex or 0]) if found else "", raw.rstrip("\r\n"))


def known(word: str) -> str:
    """The level that a word means, or ''."""
    lower = word.lower()
    lower = _ALIASES.get(lower, lower)
    return lower if lower in LEVELS else ""


def laid_out(message: Message) -> str:
    """JSON as `text key=value …`, without what the line says already; other messages as is."""
    if message.fields is None:
        return message.text
    said = {*_LEVEL_KEYS, *_TIME_KEYS}
    parts = [message.text] if message.text else []
    text_key = next((key for key in _TEXT_KEYS if message.fields.get(key) == message.text), None)
    for key, value in message.fields.items():
        if key not in said and key != text_key:
            parts.append(f"{key}={value if isinstance(value, str) else json.dumps(value)}")
    return " ".join(parts)


def _from_json(fields: Mapping[str, Any]) -> Message:
    level = next((fields[key] for key in _LEVEL_KEYS if isinstance(fields.get(key), str)), "")
    text = next((fields[key] for key in _TEXT_KEYS if isinstance(fields.get(key), str)), "")
    return Message(known(level), text.rstrip("\r\n"), fields)
