"""What all filter patterns share.

Refusals, regular expressions, conditions with `&&` and `||`, and values to compare with.
Sources: "Filter pattern syntax" in the CloudWatch Logs User Guide; where that is silent, what the
API told users (awslogs#210, defang#1008).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from opsctl_sandbox.wire.calls import Refused

Matcher = Callable[[str], bool]
Content = TypeVar("Content")
Test = Callable[[Content], bool]
ORDERS = ("<", ">", "<=", ">=")
OPERATORS = ("=", "!=", *ORDERS)
_NO_VALUE = frozenset((*OPERATORS, "&&", "||", "...", *"[](){},"))
_MOST_REGEXES = 2
_REGEX = re.compile(r"[A-Za-z0-9:_#=@/;,\-^$?\[\]{}|\\*+.]*")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def invalid(pattern: str) -> Refused:
    return Refused("InvalidParameterException", f"Invalid filter pattern: {pattern}")


def bad_character(term: str) -> Refused:
    return Refused("InvalidParameterException", f"Invalid character(s) in term '{term}'")


def regex(source: str) -> Matcher:
    """Compile a regex. AWS allows no parentheses, blanks or characters outside its list."""
    known = _REGEX.match(source)
    if known is None or known.end() < len(source):
        raise bad_character(source[known.end() if known else 0])
    try:
        compiled = re.compile(source)
    except re.error as error:
        raise invalid(f"%{source}%") from error
    return lambda message: compiled.search(message) is not None


def number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


@dataclass(frozen=True)
class Operand:
    """The right side of a condition. `*` stands for any text, but only at the ends."""

    text: str
    number: float | None = None
    regex: Matcher | None = None

    @classmethod
    def read(cls, token: str) -> "Operand":
        if token.startswith('"'):
            return cls(unquoted(token[1:-1]))
        if token.startswith("%"):
            return cls(token, regex=regex(token[1:-1]))
        return cls(token, number(token))

    def says(self, value: str) -> bool:
        if self.regex is not None:
            return self.regex(value)
        first, last = self.text.startswith("*"), self.text.endswith("*")
        core = self.text[first : len(self.text) - last]
        if first and last:
            return core in value
        if first or last:
            return value.endswith(core) if first else value.startswith(core)
        return value == core


def ordered(operator: str, value: float | None, limit: float | None) -> bool:
    """Compare two numbers; False when one is missing."""
    if value is None or limit is None:
        return False
    if operator in ("<=", ">=") and value == limit:
        return True
    return value < limit if operator.startswith("<") else value > limit


class Tokens:
    """A pattern split into tokens, read from the left."""

    def __init__(self, pattern: str, token: re.Pattern[str]) -> None:
        """`token` has one group and matches at every token of a well-formed pattern."""
        self.pattern = pattern
        self._tokens = list(_cut(pattern, token))
        self._next = 0
        if sum(one.startswith("%") for one in self._tokens) > _MOST_REGEXES:
            raise invalid(pattern)

    def token(self) -> str:
        if self._next == len(self._tokens):
            raise invalid(self.pattern)
        self._next += 1
        return self._tokens[self._next - 1]

    def peek(self, ahead: int = 0) -> str:
        at = self._next + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def comparison(self) -> tuple[str, "Operand"]:
        """Return (operator, right side). An order requires a number there."""
        operator, token = self.token(), self.token()
        if operator not in OPERATORS or token in _NO_VALUE:
            raise invalid(self.pattern)
        operand = Operand.read(token)
        if operator in ORDERS and operand.number is None:
            raise invalid(self.pattern)
        return operator, operand

    def take(self, token: str) -> bool:
        same = self.peek() == token
        self._next += same
        return same

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise invalid(self.pattern)

    def end(self) -> None:
        if self.peek():
            raise invalid(self.pattern)

    def condition(self, one: Callable[[], Test[Content]]) -> Test[Content]:
        """Parse tests of `one`, joined by `||` and, with higher precedence, `&&`."""
        either = [self._both(one)]
        while self.take("||"):
            either.append(self._both(one))
        return lambda content: any(test(content) for test in either)

    def _both(self, one: Callable[[], Test[Content]]) -> Test[Content]:
        both = [one()]
        while self.take("&&"):
            both.append(one())
        return lambda content: all(test(content) for test in both)


def _cut(pattern: str, token: re.Pattern[str]) -> Iterable[str]:
    position = 0
    while rest := pattern[position:].strip():
        match = token.match(pattern, position)
        if match is None:
            raise bad_character(rest[0])
        yield match.group(1)
        position = match.end()
