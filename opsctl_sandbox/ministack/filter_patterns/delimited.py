"""Filter patterns for lines of fields: `[ip, user, ..., status = 4* || status = 500, bytes > 99]`.

Blanks separate fields; brackets and double quotes enclose one field. A pattern without `...`
requires exactly as many fields as it has; a name may be left out.
"""

import re
from collections.abc import Sequence

from opsctl_sandbox.ministack.filter_patterns.parts import (
    ORDERS,
    Matcher,
    Operand,
    Test,
    Tokens,
    invalid,
    number,
    ordered,
)

_TOKEN = re.compile(
    r'\s*(\.\.\.|&&|\|\||!=|<=|>=|[=<>,\[\]]|"(?:[^"\\]|\\.)*"|%(?:[^%\\]|\\.)*%|[\w.*+:/-]+)',
    re.ASCII,
)
_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
_FIELD = re.compile(r'\[([^\]]*)\](?!\S)|"((?:[^"\\]|\\.)*)"(?!\S)|(\S+)')
_ELLIPSIS = "..."
_AFTER = (",", "]")


def compile_delimited(pattern: str) -> Matcher:
    tokens = Tokens(pattern, _TOKEN)
    before: list[Test[str]] = []
    after: list[Test[str]] | None = None
    tokens.expect("[")
    if tokens.peek() == "]":
        raise invalid(pattern)
    while True:
        if tokens.take(_ELLIPSIS):
            if after is not None:
                raise invalid(pattern)
            after = []
        else:
            (before if after is None else after).append(_field(tokens))
        if not tokens.take(","):
            break
    tokens.expect("]")
    tokens.end()
    return _whole(before, after)


def _whole(before: Sequence[Test[str]], after: Sequence[Test[str]] | None) -> Matcher:
    def matches(message: str) -> bool:
        fields = ["".join(groups) for groups in _FIELD.findall(message)]
        least = len(before) + len(after or ())
        if len(fields) < least or (after is None and len(fields) > least):
            return False
        last = fields[len(fields) - len(after or ()) :]
        return all(test(field) for test, field in zip(before, fields, strict=False)) and all(
            test(field) for test, field in zip(after or (), last, strict=True)
        )

    return matches


def _field(tokens: Tokens) -> Test[str]:
    """Parse one field: nothing, a name, or conditions that all use that field's name."""
    name = tokens.peek()
    if name in _AFTER:
        return lambda field: True
    if not _NAME.fullmatch(name):
        raise invalid(tokens.pattern)
    if tokens.peek(1) in _AFTER:
        tokens.take(name)
        return lambda field: True
    return tokens.condition(lambda: _one(tokens, name))


def _one(tokens: Tokens, name: str) -> Test[str]:
    tokens.expect(name)
    operator, operand = tokens.comparison()
    if operator in ORDERS:
        return lambda field: ordered(operator, number(field), operand.number)
    return lambda field: _same(field, operand) == (operator == "=")


def _same(field: str, operand: Operand) -> bool:
    value = number(field)
    if value is not None and operand.number is not None:
        return value == operand.number
    return operand.says(field)
