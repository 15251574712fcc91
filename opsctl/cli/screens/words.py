"""Short words for times, counts and zones, and texts cut to a width."""

import shutil
import sys
import textwrap
from datetime import datetime


def age(now: datetime, then: datetime | None) -> str:
    """Return the age in one unit, or two if it is short:

    `12 s`, `3 m 10 s`, `41 m`, `2 d`; or ''.
    """
    if then is None:
        return ""
    seconds = max(int((now - then).total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 60:
        return f"{seconds} s"
    if minutes < 10:
        return f"{minutes} m {seconds % 60} s"
    if minutes < 60:
        return f"{minutes} m"
    if hours < 48:
        return f"{hours} h"
    return f"{days} d"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def fitted(text: str, width: int) -> str:
    """Return the text on one line, cut with an ellipsis."""
    line = " ".join(text.split()) if "\n" in text else text
    return line if len(line) <= width else f"{line[: max(width - 1, 0)]}…"


def folded(text: str, indent: str = "  ") -> list[str]:
    """Return the line folded for a terminal. Elsewhere it stays one line."""
    if not sys.stdout.isatty():
        return [text]
    width = max(20, shutil.get_terminal_size().columns)
    return textwrap.wrap(text, width, subsequent_indent=indent) or [""]


def zone_word(zone: str) -> str:
    """Return `eu-central-1a` as `1a`."""
    return zone.rpartition("-")[2]
