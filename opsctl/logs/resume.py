"""The file of `--resume`: where each source continues, and the ids already printed."""

import json
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opsctl import disk
from opsctl.errors import ConfigError, OpsError
from opsctl.logs.follower import Bookmark
from opsctl.logs.page import LATEST

_VERSION = 1


def read(path: Path) -> Mapping[str, Bookmark]:
    """Return source -> bookmark; empty when the file does not exist."""
    try:
        regular = stat.S_ISREG(path.stat().st_mode) or path.is_dir()
        text = path.read_bytes() if regular else b""
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise OpsError(f"`{path}` cannot be read: {error.strerror}") from error
    if not regular:  # a device has no end, and its like must not be removed
        raise ConfigError(f"`{path}` is not a file", hint="choose another file after --resume")
    try:
        content = json.loads(text)
        if content["v"] != _VERSION:
            raise ValueError(f"version {content['v']}")
        return {name: _bookmark(kept) for name, kept in content["sources"].items()}
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
        OverflowError,
    ) as error:
        raise ConfigError(
            f"{path} is not a bookmark of `opsctl logs tail`: {error}",
            hint=f"remove it to start over: rm {shlex.quote(str(path))}",
        ) from error


def _bookmark(kept: Mapping[str, Any]) -> Bookmark:
    ids = {int(minute): [*map(str, ids)] for minute, ids in kept["ids"].items()}
    floor = int(kept["floor"])
    if not 0 <= floor <= LATEST:
        raise ValueError(f"{floor} is no time")
    return Bookmark(floor, ids)


def write(path: Path, bookmarks: Mapping[str, Bookmark]) -> None:
    """Replace the file in one step: a crash leaves the old one, never half of a new one."""
    content = {
        "v": _VERSION,
        "sources": {
            name: {"floor": kept.floor, "ids": kept.ids} for name, kept in bookmarks.items()
        },
    }
    disk.write(path, json.dumps(content), hint="choose another file after --resume")
