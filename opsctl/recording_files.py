"""The files of the recordings: which is the newest, and how many are kept."""

import json
from collections.abc import Sequence
from pathlib import Path

KEPT, BYTES = 20, 64 * 1024 * 1024
_SECOND = len("20261126T120000")  # the beginning of a file name


def newest_first(folder: Path) -> Sequence[Path]:
    """Return the files, newest first, by the exact times at which their commands began."""
    return sorted(folder.glob("*.jsonl"), key=_began, reverse=True)


def prune(folder: Path, *, kept: int = KEPT, size: int = BYTES) -> None:
    """Keep at most `kept` of the newest files with at most `size` bytes, and always the newest."""
    total = 0
    for index, path in enumerate(newest_first(folder)):
        try:
            total += path.stat().st_size
            if index >= kept or (total > size and index > 0):
                path.unlink(missing_ok=True)
        except OSError:
            continue  # another command has just removed it, or it is somebody else's


def _began(path: Path) -> tuple[str, str, str]:
    return path.name[:_SECOND], _moment(path), path.name


def _moment(path: Path) -> str:
    """Return the time in the file's first line, or ''."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return str(json.loads(lines.readline())["at"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
