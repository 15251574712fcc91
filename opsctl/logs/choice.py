"""Which events a person chose: streams are selected by the server, messages here. Pure."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from opsctl.errors import ConfigError
from opsctl.logs import message
from opsctl.logs.events import LogEvent, Selection

_CONDITION = re.compile(r"\s*([^\s=!<>~]+)\s*(==|!=|>=|<=|=|>|<|~)\s*(.*?)\s*")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
Test = Callable[[message.Message], bool]


@dataclass(frozen=True, slots=True)
class Choice:
    """The choice of the command line or of a saved selection; '' and () mean not given.

    `pattern` is CloudWatch's filter pattern, `stream` a prefix or a /regex/; `task` and `instance`
    are ids or parts of ids; `where` holds conditions on fields: `status>=500`.
    """

    sources: Sequence[str] = ()
    groups: Sequence[str] = ()
    pattern: str = ""
    grep: str = ""
    exclude: str = ""
    highlight: str = ""
    level: str = ""
    task: str = ""
    instance: str = ""
    stream: str = ""
    where: Sequence[str] = ()
    since: str = ""
    fields: str = ""

    def over(self, saved: "Choice") -> "Choice":
        """Return this choice, with the values of `saved` for everything that is not given."""
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(saved, **{name: value for name, value in said.items() if value})

    @property
    def selection(self) -> Selection:
        """Return the server's part of the choice. Raises ConfigError for an invalid /regex/."""
        containing = tuple(part for part in (self.task, self.instance) if part)
        stream = self.stream
        if len(stream) > 1 and stream.startswith("/") and stream.endswith("/"):
            regex = expression(stream[1:-1])
            return Selection(self.pattern, regex=regex, containing=containing)
        return Selection(self.pattern, prefix=stream, containing=containing)

    @property
    def admits(self) -> Callable[[LogEvent], bool] | None:
        """Return a test for events to print, or None for all.

        Raises ConfigError for an invalid option.
        """
        if not (self.grep or self.exclude or self.level or self.where):
            return None
        only = expression(self.grep)
        never = expression(self.exclude) if self.exclude else None
        tests = [_condition(one) for one in self.where]
        if self.level:
            tests.append(_at_least(self.level))

        def admitted(event: LogEvent) -> bool:
            text = event.message
            if only.search(text) is None or (never is not None and never.search(text) is not None):
                return False
            if not tests:
                return True
            said = message.read(text)
            return all(test(said) for test in tests)

        return admitted


def expression(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError(f"`{text}` is not a regular expression: {error}") from error


def _at_least(level: str) -> Test:
    if not message.known(level):
        raise ConfigError(
            f"unknown level `{level}`; choose {', '.join(message.LEVELS)}",
            hint="opsctl logs tail --level error",
        )
    least = message.LEVELS[message.known(level)]
    return lambda said: message.LEVELS.get(said.level, -1) >= least


def _condition(text: str) -> Test:
    parsed = _CONDITION.fullmatch(text)
    path, sign, wanted = parsed.groups() if parsed else ("", "", "")
    # A second sign is a typing error (`status=>500`), as is nothing to compare with.
    second = sign != "~" and wanted.startswith(("=", "!", "<", ">", "~"))
    if not path or second or (not wanted and sign[0] in "<>"):
        raise ConfigError(
            f"`{text}` is not a condition on a field",
            hint="opsctl logs tail --where 'status>=500' --where 'path~^/v1'",
        )
    if sign == "~":
        pattern = expression(wanted)
        return lambda said: _matches(pattern, message.field(said, path))
    compare = _COMPARE[sign]

    def holds(said: message.Message) -> bool:
        value = message.field(said, path)
        if value is None:
            return sign == "!="
        left, right = _number(value), _number(wanted)
        if left is None or right is None:
            return compare(message.shown(value), wanted)
        return compare(left, right)

    return holds


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return value is not None and pattern.search(message.shown(value)) is not None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
