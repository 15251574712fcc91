"""The cluster query language, as `ListContainerInstances --filter` takes it:
`attribute:ecs.instance-type =~ t3.* and agentConnected == true and runningTasksCount < 4`.

Subjects and operators are those of "Cluster query language" in the ECS Developer Guide; `task:` is
not among them here.
"""

import re
from collections.abc import Callable
from typing import Any

from opsctl_sandbox.operations.ecs.requests import invalid

Described = dict[str, Any]
Passes = Callable[[Described], bool]
_TOKEN = re.compile(r"\s*(\(|\)|\[|\]|,|==|!=|=~|!~|<=|>=|<|>|!|&&|\|\||[^\s()\[\],=!<>&|]+)")
_SUBJECTS = ("agentConnected", "agentVersion", "ec2InstanceId", "registeredAt", "runningTasksCount")
_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "==": lambda value, wanted: value == wanted,
    "equals": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    "not_equals": lambda value, wanted: value != wanted,
    "=~": lambda value, wanted: re.fullmatch(wanted, value) is not None,
    "matches": lambda value, wanted: re.fullmatch(wanted, value) is not None,
    "!~": lambda value, wanted: re.fullmatch(wanted, value) is None,
    "not_matches": lambda value, wanted: re.fullmatch(wanted, value) is None,
    "<": lambda value, wanted: _order(value) < _order(wanted),
    "<=": lambda value, wanted: _order(value) <= _order(wanted),
    ">": lambda value, wanted: _order(value) > _order(wanted),
    ">=": lambda value, wanted: _order(value) >= _order(wanted),
}


def read(expression: str) -> Passes:
    """A test of a described container instance. Raises `Refused` for what is no expression."""
    if not expression.strip():
        return lambda instance: True
    query = _Query(expression)
    passes = query.either()
    query.end()
    return passes


def _order(value: str) -> tuple[float, str]:
    """Numbers by value, before everything else by text."""
    return (float(value), "") if value.isdigit() else (float("inf"), value)


class _Query:
    def __init__(self, expression: str) -> None:
        self._tokens: list[str] = []
        position = 0
        while expression[position:].strip():
            found = _TOKEN.match(expression, position)
            if found is None:
                raise invalid("Invalid filter expression.")
            self._tokens.append(found.group(1))
            position = found.end()

    def either(self) -> Passes:
        tests = [self._both()]
        while self._take("or", "||"):
            tests.append(self._both())
        return lambda instance: any(test(instance) for test in tests)

    def _both(self) -> Passes:
        tests = [self._one()]
        while self._take("and", "&&"):
            tests.append(self._one())
        return lambda instance: all(test(instance) for test in tests)

    def _one(self) -> Passes:
        if self._take("not", "!"):
            test = self._one()
            return lambda instance: not test(instance)
        if self._take("("):
            test = self.either()
            self._expect(")")
            return test
        subject = self._token()
        if not subject.startswith("attribute:") and subject not in _SUBJECTS:
            raise invalid("Invalid filter expression.")
        return self._condition(subject)

    def _condition(self, subject: str) -> Passes:
        operator = self._token()
        if operator in ("exists", "not_exists"):
            return lambda instance: (
                (_value(instance, subject) is not None) == (operator == "exists")
            )
        if operator in ("in", "not_in"):
            names = self._names()
            return lambda instance: (_value(instance, subject) in names) == (operator == "in")
        holds, wanted = _OPERATORS.get(operator), self._token()
        if holds is None:
            raise invalid("Invalid filter expression.")
        try:
            re.compile(wanted)
        except re.error as error:
            raise invalid("Invalid filter expression.") from error

        def passes(instance: Described) -> bool:
            value = _value(instance, subject)
            return value is not None and holds(value, wanted)

        return passes

    def _names(self) -> list[str]:
        self._expect("[")
        names = [self._token()]
        while self._take(","):
            names.append(self._token())
        self._expect("]")
        return names

    def _token(self) -> str:
        if not self._tokens:
            raise invalid("Invalid filter expression.")
        return self._tokens.pop(0).strip("'\"")

    def _take(self, *words: str) -> bool:
        found = bool(self._tokens) and self._tokens[0] in words
        if found:
            del self._tokens[0]
        return found

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise invalid("Invalid filter expression.")

    def end(self) -> None:
        if self._tokens:
            raise invalid("Invalid filter expression.")


def _value(instance: Described, subject: str) -> str | None:
    if subject.startswith("attribute:"):
        name = subject.removeprefix("attribute:")
        values = {one["name"]: str(one.get("value", "")) for one in instance["attributes"]}
        return values.get(name)
    if subject == "agentVersion":
        return str(instance["versionInfo"]["agentVersion"])
    value = instance[subject]
    return str(value).lower() if isinstance(value, bool) else str(value)
