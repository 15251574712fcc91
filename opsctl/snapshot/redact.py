"""Mask secrets in text that others wrote: log lines, reasons, URLs. Pure.

opsctl itself never holds a secret's value; this is for what a container or a caller printed. Each
pattern begins at the beginning of a word: a line may be one word of 256 KB.
"""

import re
from typing import Any

MASK = "•••"
# What programs write after a secret's name that is not its value: `API_KEY: is empty`.
_WORDS = (
    "is|was|are|has|must|may|can|cannot|not|no|missing|required|invalid|empty|expired|none|null"
)
_SECRET = "password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|authorization|credentials?"
_PATTERNS = (
    # An AWS access key id, by its fixed beginning.
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
    # A JSON Web Token.
    (re.compile(r"(?<!\w)eyJ[\w-]{5,}+\.[\w-]{5,}+\.[\w-]*"), MASK),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}"), rf"\g<1>{MASK}"),
    # rediss://user:password@host
    (re.compile(r"(\w://[^/\s:@]*:)[^/\s@]+(@)"), rf"\g<1>{MASK}\g<2>"),
    # password=…, "token": "…", API_KEY: …; but not an action or an ARN of Secrets Manager, nor
    # what is said of a path or an exception: `POST https://auth.example.com/token: dial tcp`
    (
        re.compile(
            rf"(?i)(?:(?<![\w/-])|(?<=/)(?=[\w-]++=))(?<!:\d{{12}}:)"
            rf"((?!secretsmanager:)(?=[\w-]*(?:{_SECRET}))(?![\w-]*(?:error|exception):)[\w-]++"
            rf"[\"']?\s*[=:]\s*[\"']?)"
            rf"(?!{MASK}|(?:bearer|basic)\s|(?:{_WORDS})(?![\w/+=-]))[^\s\"',;&}}]+"
        ),
        rf"\g<1>{MASK}",
    ),
)


def redact(text: str) -> str:
    """Return `text` with everything masked that looks like a secret.

    Masking twice changes nothing.
    """
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redacted(value: Any) -> Any:
    """Return a JSON value with every text in it masked; keys stay."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redacted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item) for item in value]
    return value
