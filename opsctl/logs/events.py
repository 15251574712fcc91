"""What a tail reads and what it yields: groups, events and notices. Values only.

Times are milliseconds of the server's clock, as CloudWatch Logs gives them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A log group of CloudWatch, under the name of its source."""

    source: str
    name: str


class LogEvent(NamedTuple):
    """One event, its fields in the order that events are sorted by.

    A tuple because a tail makes a hundred thousand of them: it costs a fifth of a dataclass.
    """

    timestamp: int
    ingested: int
    source: str
    stream: str
    id: str
    message: str
    late: bool = False

    @property
    def lag(self) -> int:
        return self.ingested - self.timestamp


NoticeKind = Literal[
    "caught-up", "throttled", "unreachable", "missing", "found", "denied", "renewed", "crowded",
    "progress", "gap", "reread",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the reading itself; `source` is None when it concerns all of them."""

    kind: NoticeKind
    source: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events of a group: the server's pattern, and streams by prefix, regex or part.

    Whatever the server narrows is checked here again: emulators ignore the prefix.
    """

    pattern: str = ""
    prefix: str = ""
    regex: re.Pattern[str] | None = None
    containing: tuple[str, ...] = ()
    _literal: str = field(init=False, default="")

    def __post_init__(self) -> None:
        literal = literal_prefix(self.regex.pattern) if self.regex else ""
        object.__setattr__(self, "_literal", self.prefix or literal)

    def parameters(self) -> Mapping[str, Any]:
        parameters: dict[str, Any] = {}
        if self.pattern:
            parameters["filterPattern"] = self.pattern
        if self._literal:
            parameters["logStreamNamePrefix"] = self._literal
        return parameters

    @property
    def narrow(self) -> bool:
        return bool(self.prefix or self.regex or self.containing)

    def admits(self, stream: str) -> bool:
        return (
            stream.startswith(self.prefix)
            and (self.regex is None or self.regex.search(stream) is not None)
            and (not self.containing or any(part in stream for part in self.containing))
        )


def literal_prefix(pattern: str) -> str:
    """The text that every match of an anchored regex starts with; '' when there is none."""
    if not pattern.startswith("^") or "|" in pattern:
        return ""
    literal = re.match(r"[A-Za-z0-9/_#@%-]*", pattern[1:])
    assert literal is not None
    text, rest = literal.group(), pattern[1 + literal.end() :]
    return text[:-1] if rest[:1] in ("*", "?", "{") else text
