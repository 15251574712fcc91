"""The files of the recordings: which is the newest, and how many stay."""

import json
from collections.abc import Sequence
from pathlib import Path

KEPT, BYTES = 20, 64 * 1024 * 1024
_SECOND = len("20261126T120000")  # how a name begins


def newest_first(folder: Path) -> Sequence[Path]:
    """By when each command began. Two may have begun in one second, and names have no more."""
    return sorted(folder.glob("*.jsonl"), key=_began, reverse=True)


def prune(folder: Path, *, kept: int = KEPT, size: int = BYTES) -> None:
    """Keep the newest so many, and of these as many as fit; the very newest in any case."""
    total = 0
    for index, path in enumerate(newest_first(folder)):
        total += path.stat().st_size
        if index >= kept or (total > size and index > 0):
            path.unlink(missing_ok=True)


def _began(path: Path) -> tuple[str, str, str]:
    return path.name[:_SECOND], _moment(path), path.name


def _moment(path: Path) -> str:
    """As its first line says; '' for a file that has none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return str(json.loads(lines.readline())["at"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
