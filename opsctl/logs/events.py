"""The values of a tail: groups, events and notices.

Times are milliseconds since 1970 of the server's clock, as CloudWatch Logs gives them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A log group of CloudWatch with the name of its source."""

    source: str
    name: str


class LogEvent(NamedTuple):
    """One event. The order of the fields is the sort order.

    A tuple, because a tail creates hundreds of thousands; it costs a fifth of a dataclass.
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
    """A message about the reading. `source` is None when it concerns all sources."""

    kind: NoticeKind
    source: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events of a group to read: a filter pattern, and streams by prefix, regex or part.

    Streams are checked here again, because emulators ignore the prefix.
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
    """Return the text with which every match of an anchored regex starts, or ''."""
    if not pattern.startswith("^") or "|" in pattern:
        return ""
    literal = re.match(r"[A-Za-z0-9/_#@%-]*", pattern[1:])
    assert literal is not None
    text, rest = literal.group(), pattern[1 + literal.end() :]
    return text[:-1] if rest[:1] in ("*", "?", "{") else text
