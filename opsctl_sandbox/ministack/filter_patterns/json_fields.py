"""Filter patterns for JSON: `{ $.status >= 500 && ($.user NOT EXISTS || $.tags[*] = "a*") }`.

A selector that leads to an object, an array or null matches nothing: neither `=` nor `!=` holds.
`[*]` tests every element.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from opsctl_sandbox.ministack.filter_patterns.parts import (
    ORDERS,
    Matcher,
    Operand,
    Test,
    Tokens,
    invalid,
    ordered,
)

_TOKEN = re.compile(
    r"""\s*(&&|\|\||[(){}]|!=|<=|>=|=|<|>"""
    r"""|\$(?:\.[\w-]+|\.?\[(?:"[^"]*"|'[^']*'|\d+|\*)\])+"""
    r"""|"(?:[^"\\]|\\.)*"|%(?:[^%\\]|\\.)*%|[\w.*+:/-]+)""",
    re.ASCII,
)
_STEP = re.compile(r"""\.?\[(?:"([^"]*)"|'([^']*)'|(\d+|\*))\]|\.([\w-]+)""")
_Values = list[Any]
_WORDS: dict[tuple[str, str], Test[_Values]] = {
    ("IS", "TRUE"): lambda values: any(value is True for value in values),
    ("IS", "FALSE"): lambda values: any(value is False for value in values),
    ("IS", "NULL"): lambda values: any(value is None for value in values),
    ("NOT", "EXISTS"): lambda values: not values,
}


def compile_json(pattern: str) -> Matcher:
    test = _read(Tokens(pattern, _TOKEN))

    def matches(message: str) -> bool:
        try:
            content = json.loads(message)
        except ValueError:
            return False
        return test(content)

    return matches


def _read(tokens: Tokens) -> Test[Any]:
    tokens.expect("{")
    test = tokens.condition(lambda: _one(tokens))
    tokens.expect("}")
    tokens.end()
    return test


def _one(tokens: Tokens) -> Test[Any]:
    if tokens.take("("):
        test = tokens.condition(lambda: _one(tokens))
        tokens.expect(")")
        return test
    path = tokens.token()
    if not path.startswith("$"):
        raise invalid(tokens.pattern)
    holds = _comparison(tokens)
    return lambda content: holds(list(_select(content, _STEP.findall(path))))


def _comparison(tokens: Tokens) -> Test[_Values]:
    words = (tokens.peek(), tokens.peek(1))
    if words in _WORDS:
        tokens.take(words[0])
        tokens.take(words[1])
        return _WORDS[words]
    operator, operand = tokens.comparison()
    return lambda values: any(_compared(value, operator, operand) for value in values)


def _select(content: Any, steps: list[tuple[str, ...]]) -> Iterable[Any]:
    """Yield every value that the selector leads to; without `[*]` at most one."""
    if not steps:
        yield content
        return
    (double, single, index, plain), *rest = steps
    if not index:
        name = double or single or plain
        if isinstance(content, dict) and name in content:
            yield from _select(content[name], rest)
    elif isinstance(content, list):
        chosen = content if index == "*" else content[int(index) : int(index) + 1]
        for one in chosen:
            yield from _select(one, rest)


def _compared(value: Any, operator: str, operand: Operand) -> bool:
    if not isinstance(value, str | int | float):
        return False
    numeric = not isinstance(value, str | bool)
    if operator in ORDERS:
        return numeric and ordered(operator, float(value), operand.number)
    if numeric and operand.number is not None:
        same = value == operand.number
    else:
        same = operand.says(value if isinstance(value, str) else json.dumps(value))
    return same == (operator == "=")
