"""CloudWatch Logs filter patterns: terms, phrases, exclusions, alternatives, regular expressions
and JSON selectors, as matchers of one message.

Pure. A malformed pattern is refused as AWS refuses it; `[a, b]` patterns are not simulated, and
the refusal says so. Terms are case-sensitive and match anywhere in the message.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from opsctl.sandbox.calls import Refused

Matcher = Callable[[str], bool]
_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%((?:[^%\\]|\\.)*)%|([^\s"%]+))')


def compile_pattern(pattern: str) -> Matcher:
    """Raises `Refused` for a pattern that AWS, or the sandbox, does not take."""
    text = pattern.strip()
    if not text:
        return lambda message: True
    if text.startswith("{"):
        return _json(text)
    if text.startswith("["):
        raise Refused("InvalidParameterException", "the sandbox has no space-delimited patterns")
    return _terms(text)


def invalid(pattern: str) -> Refused:
    return Refused("InvalidParameterException", f"Invalid filter pattern: {pattern}")


def _terms(text: str) -> Matcher:
    required: list[Matcher] = []
    excluded: list[Matcher] = []
    optional: list[Matcher] = []
    lists = {"": required, "-": excluded, "?": optional}
    position = 0
    while position < len(text):
        found = _TERM.match(text, position)
        if found is None:
            raise invalid(text)
        sign, phrase, regex, word = found.groups()
        lists[sign].append(_single(text, phrase, regex, word))
        position = found.end()
    # AWS ignores `?` terms that stand beside others.
    anyof = optional if not required and not excluded else []

    def matches(message: str) -> bool:
        if not all(one(message) for one in required) or any(one(message) for one in excluded):
            return False
        return not anyof or any(one(message) for one in anyof)

    return matches


def _single(text: str, phrase: str | None, regex: str | None, word: str | None) -> Matcher:
    if regex is not None:
        return _regex(text, regex)
    wanted = word if word is not None else re.sub(r"\\(.)", r"\1", phrase or "")
    return lambda message: wanted in message


def _regex(text: str, regex: str) -> Matcher:
    try:
        compiled = re.compile(regex)
    except re.error as error:
        raise invalid(text) from error
    return lambda message: compiled.search(message) is not None


def _json(text: str) -> Matcher:
    test = _Selector(text).read()

    def matches(message: str) -> bool:
        try:
            content = json.loads(message)
        except ValueError:
            return False
        return test(content)

    return matches


_Test = Callable[[Any], bool]
_MISSING = object()
_TOKEN = re.compile(
    r"""\s*(&&|\|\||[(){}]|!=|<=|>=|=|<|>"""
    r"""|\$(?:\.[\w-]+|\["[^"]*"\]|\[\d+\])+|"(?:[^"\\]|\\.)*"|%(?:[^%\\]|\\.)*%|[^\s(){}=<>!&|]+)"""
)
_STEP = re.compile(r'\.([\w-]+)|\["([^"]*)"\]|\[(\d+)\]')
_WORDS: dict[tuple[str, ...], _Test] = {
    ("IS", "TRUE"): lambda value: value is True,
    ("IS", "FALSE"): lambda value: value is False,
    ("IS", "NULL"): lambda value: value is None,
    ("NOT", "EXISTS"): lambda value: value is _MISSING,
}


class _Selector:
    """A recursive reading of `{ $.a = b && ($.c > 1 || $.d NOT EXISTS) }`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        position = 0
        while text[position:].strip():
            found = _TOKEN.match(text, position)
            if found is None:
                raise invalid(text)
            self._tokens.append(found.group(1))
            position = found.end()
        self._next = 0

    def read(self) -> _Test:
        self._expect("{")
        test = self._either()
        self._expect("}")
        if self._next != len(self._tokens):
            raise invalid(self._text)
        return test

    def _either(self) -> _Test:
        tests = [self._both()]
        while self._take("||"):
            tests.append(self._both())
        return lambda content: any(test(content) for test in tests)

    def _both(self) -> _Test:
        tests = [self._one()]
        while self._take("&&"):
            tests.append(self._one())
        return lambda content: all(test(content) for test in tests)

    def _one(self) -> _Test:
        if self._take("("):
            test = self._either()
            self._expect(")")
            return test
        path = self._token()
        if not path.startswith("$"):
            raise invalid(self._text)
        compare = self._comparison()
        return lambda content: compare(_select(content, path))

    def _comparison(self) -> _Test:
        operator = self._token()
        if operator in ("IS", "NOT"):
            words = (operator, self._token())
            if words not in _WORDS:
                raise invalid(self._text)
            return _WORDS[words]
        if operator not in ("=", "!=", "<", ">", "<=", ">="):
            raise invalid(self._text)
        return _comparing(self._text, operator, self._token())

    def _token(self) -> str:
        if self._next == len(self._tokens):
            raise invalid(self._text)
        self._next += 1
        return self._tokens[self._next - 1]

    def _take(self, token: str) -> bool:
        found = self._next < len(self._tokens) and self._tokens[self._next] == token
        self._next += found
        return found

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise invalid(self._text)


def _select(content: Any, path: str) -> Any:
    for name, quoted, index in _STEP.findall(path):
        if index:
            if not isinstance(content, list) or int(index) >= len(content):
                return _MISSING
            content = content[int(index)]
        elif isinstance(content, dict) and (name or quoted) in content:
            content = content[name or quoted]
        else:
            return _MISSING
    return content


def _comparing(text: str, operator: str, wanted: str) -> _Test:
    number = _number(wanted)
    if operator not in ("=", "!="):
        if number is None:
            raise invalid(text)
        return _ordering(operator, number)
    if wanted.startswith("%"):
        regex = _regex(text, wanted[1:-1])
        same: _Test = lambda value: isinstance(value, str) and regex(value)  # noqa: E731
    elif number is not None:
        same = lambda value: _plain_number(value) and value == number  # noqa: E731
    else:
        parts = wanted.strip('"').split("*")
        glob = re.compile(".*".join(re.escape(part) for part in parts), re.DOTALL)
        same = lambda value: isinstance(value, str) and glob.fullmatch(value) is not None  # noqa: E731
    if operator == "=":
        return same
    return lambda value: value is not _MISSING and not same(value)


def _ordering(operator: str, number: float) -> _Test:
    orders: dict[str, _Test] = {
        "<": lambda value: bool(value < number),
        ">": lambda value: bool(value > number),
        "<=": lambda value: bool(value <= number),
        ">=": lambda value: bool(value >= number),
    }
    order = orders[operator]
    return lambda value: _plain_number(value) and order(value)


def _plain_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
