"""Short words for times, counts and zones, and texts cut to a width."""

import re
import shutil
import sys
from datetime import datetime

_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+|['"]""")  # of a shell; quotes hold it together
_PROGRAMS = ("opsctl ", "aws ", "docker ", "timedatectl ")


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


def columns(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(letter: str) -> int:
    import unicodedata  # every command starts with this module, and few meet such a letter

    if unicodedata.combining(letter) or letter in "\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def fitted(text: str, width: int) -> str:
    """Return the text on one line, cut with an ellipsis."""
    line = " ".join(text.split()) if "\n" in text else text
    return line if columns(line) <= width else f"{line[: fitting(line, width - 1)]}…"


def fitting(text: str, width: int) -> int:
    """Return how many of the text's first characters fit into this many columns."""
    if text.isascii():
        return min(len(text), max(width, 0))
    room = width
    for index, letter in enumerate(text):
        room -= _columns(letter)
        if room < 0:
            return index
    return len(text)


def padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))


def step(hint: str, width: int) -> list[str]:
    """Return a hint in lines of at most `width`. Its command can be pasted: it begins a line, and
    continues on the next one as in a shell.
    """
    import textwrap

    words, colon, command = hint.rpartition(": ")
    if columns(hint) <= width or not command.startswith(_PROGRAMS):
        return textwrap.wrap(hint, width, break_on_hyphens=False)
    lines = textwrap.wrap(f"{words}:", width, break_on_hyphens=False) if colon else []
    line = ""
    for word in _WORD.findall(command):
        if line and columns(f"{line} {word} \\") > width:
            lines.append(f"{line} \\")
            line = f"  {word}"
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def folded(text: str, indent: str = "  ") -> list[str]:
    """Return the line folded for a terminal. Elsewhere it stays one line."""
    import textwrap

    if not sys.stdout.isatty():
        return [text]
    width = max(20, shutil.get_terminal_size().columns)
    return textwrap.wrap(text, width, subsequent_indent=indent) or [""]


def zone_word(zone: str) -> str:
    """Return `eu-central-1a` as `1a`."""
    return zone.rpartition("-")[2]
