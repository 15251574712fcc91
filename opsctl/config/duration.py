"""Durations as people write them: `90s`, `5m`, `1h30m`, `2d`."""

import re
from datetime import timedelta

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")


def parse_duration(value: object) -> timedelta:
    """Parse a duration. Raises ValueError, also for a bare number: without a unit it is a guess."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"`{text}` is not a duration; write for instance 90s, 5m or 1h30m")
    try:
        return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
    except OverflowError as error:
        raise ValueError(f"`{text}` is longer than any calendar") from error


def format_duration(value: timedelta) -> str:
    """Return the shortest exact form down to seconds: `1h30m`, `45s`, `0s`."""
    left = round(value.total_seconds())
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_SECONDS[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
