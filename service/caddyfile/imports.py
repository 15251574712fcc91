"""Find and read the files that an `import` names, like Go's filepath.Glob."""

import os
import re
from pathlib import Path

MOST_BYTES = 8_000_000
_META = re.compile(r"[*?\[\\]")


def too_many_wildcards(pattern: str) -> bool:
    """Return whether the pattern exceeds v1's limit, because globbing more may take for ever."""
    return pattern.count("*") > 1 or pattern.count("?") > 1 or ("[" in pattern and "]" in pattern)


def glob(pattern: str) -> list[str]:
    """Return paths as Go's filepath.Glob does, in its order. Unlike Python's, `*` matches a leading
    dot.

    Raises ValueError for an invalid pattern.
    """
    if not _META.search(pattern):
        return [pattern] if "\0" not in pattern and os.path.lexists(pattern) else []
    head, _, tail = pattern.rpartition("/")
    matches = _component(tail)
    paths = []
    for directory in glob(head or "/"):
        try:
            names = sorted(os.listdir(directory), key=os.fsencode)
        except OSError:
            continue
        paths += [os.path.join(directory, name) for name in names if matches.fullmatch(name)]
    return paths


def _component(pattern: str) -> re.Pattern[str]:
    pieces = []
    characters = iter(pattern)
    for character in characters:
        if character == "*":
            pieces.append(".*")
        elif character == "?":
            pieces.append(".")
        elif character == "[":  # an unclosed class; closed ones were refused before
            raise ValueError("syntax error in pattern")
        elif character == "\\":
            literal = next(characters, None)
            if literal is None:
                raise ValueError("syntax error in pattern")
            pieces.append(re.escape(literal))
        else:
            pieces.append(re.escape(character))
    return re.compile("".join(pieces), re.DOTALL)


def read(path: str) -> bytes:
    """Read a file.

    Raises ValueError with v1's message, and for files that would block or never end.
    """
    try:
        if os.path.isdir(path):
            raise ValueError(f"Could not import {path}: is a directory")
        if os.path.exists(path) and not os.path.isfile(path):
            raise ValueError(f"Could not import {path}: is not a regular file")
        with Path(path).open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise ValueError(f"Could not import {path}: open {path}: {reason}") from error
    if not raw:
        raise ValueError(f"Could not read tokens while importing {path}: EOF")
    if len(raw) > MOST_BYTES:
        raise ValueError(f"Could not import {path}: more than {MOST_BYTES} bytes")
    return raw
