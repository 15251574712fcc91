"""Which events a person chose: streams for the server, messages for us. Pure."""

import re
from collections.abc import Callable

from opsctl.errors import ConfigError
from opsctl.logs import message
from opsctl.logs.events import LogEvent, Selection


def selection(
    pattern: str, *, stream: str | None, task: str | None, instance: str | None
) -> Selection:
    """`stream` is a prefix, or a /regex/; `task` and `instance` are ids or parts of them."""
    containing = tuple(part for part in (task, instance) if part)
    if stream and len(stream) > 1 and stream.startswith("/") and stream.endswith("/"):
        return Selection(pattern, regex=_regex(stream[1:-1]), containing=containing)
    return Selection(pattern, prefix=stream or "", containing=containing)


def admits(
    *, grep: str | None, exclude: str | None, level: str | None
) -> Callable[[LogEvent], bool] | None:
    """Whether an event is printed; None for all of them. Raises ConfigError for a bad word."""
    if grep is exclude is level is None:
        return None
    only, never = _regex(grep or ""), _regex(exclude) if exclude else None
    if level is not None and not message.known(level):
        raise ConfigError(
            f"unknown level `{level}`; choose {', '.join(message.LEVELS)}",
            hint="opsctl logs tail --level error",
        )
    least = message.LEVELS[message.known(level)] if level else -1

    def admitted(event: LogEvent) -> bool:
        return (
            only.search(event.message) is not None
            and (never is None or never.search(event.message) is None)
            and (least < 0 or message.LEVELS.get(message.read(event.message).level, -1) >= least)
        )

    return admitted


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigError(f"`{text}` is not a regular expression: {error}") from error
