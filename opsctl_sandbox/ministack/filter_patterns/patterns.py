"""Compile CloudWatch Logs filter patterns into tests of one message: terms, phrases, exclusions,
alternatives and regular expressions; other modules handle JSON and fields.

Pure. A malformed pattern is refused as AWS refuses it. Terms are case-sensitive and match anywhere
in the message; one with characters other than letters, digits and `_` needs double quotes.
"""

import re

from opsctl_sandbox.ministack.filter_patterns.delimited import compile_delimited
from opsctl_sandbox.ministack.filter_patterns.json_fields import compile_json
from opsctl_sandbox.ministack.filter_patterns.parts import (
    Matcher,
    bad_character,
    invalid,
    regex,
    unquoted,
)
from opsctl_sandbox.wire.calls import Refused

_LONGEST = 1024
_TERM = re.compile(r'\s*(-\s*|\??)(?:"((?:[^"\\]|\\.)*)"|%((?:[^%\\]|\\.)*)%|([^\s"%]+))')
_WORD = re.compile(r"[A-Za-z0-9_]*")
_ENDS = {"{": ("}", compile_json), "[": ("]", compile_delimited)}


def compile_pattern(pattern: str) -> Matcher:
    """Compile a pattern. Raises `Refused` if AWS does not accept it."""
    text = pattern.strip()
    if len(pattern) > _LONGEST:
        raise Refused(
            "InvalidParameterException",
            "1 validation error detected: Value at 'filterPattern' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_LONGEST}",
        )
    if not text:
        return lambda message: True
    if text[0] not in _ENDS:
        return _terms(text)
    end, compiled = _ENDS[text[0]]
    if not text.endswith(end):
        raise Refused(
            "InvalidParameterException",
            f"If a filter pattern starts with '{text[0]}' it must end with '{end}'",
        )
    return compiled(text)


def _terms(text: str) -> Matcher:
    required: list[Matcher] = []
    excluded: list[Matcher] = []
    optional: list[Matcher] = []
    lists = {"": required, "-": excluded, "?": optional}
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise invalid(text)
        sign, phrase, source, word = match.groups()
        lists[sign.strip()].append(_single(phrase, source, word))
        position = match.end()
    # AWS ignores `?` terms beside other terms.
    anyof = optional if not required and not excluded else []

    def matches(message: str) -> bool:
        if not all(one(message) for one in required) or any(one(message) for one in excluded):
            return False
        return not anyof or any(one(message) for one in anyof)

    return matches


def _single(phrase: str | None, source: str | None, word: str | None) -> Matcher:
    if source is not None:
        return regex(source)
    if word is not None:
        known = _WORD.match(word)
        if known is not None and known.end() < len(word):
            raise bad_character(word[known.end()])
    text = word if word is not None else unquoted(phrase or "")
    if not text:
        raise bad_character('""')
    return lambda message: text in message
