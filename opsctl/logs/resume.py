"""The file behind `--resume`: where each source stands, and the ids already printed."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from opsctl.errors import ConfigError
from opsctl.logs.follower import Bookmark

_VERSION = 1


def read(path: Path) -> Mapping[str, Bookmark]:
    """Nothing when there is no file yet."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        content = json.loads(text)
        if content["v"] != _VERSION:
            raise ValueError(f"version {content['v']}")
        return {
            name: Bookmark(
                int(kept["floor"]), {int(minute): ids for minute, ids in kept["ids"].items()}
            )
            for name, kept in content["sources"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is not a bookmark of `opsctl logs tail`: {error}",
            hint=f"remove it to start over: rm {path}",
        ) from error


def write(path: Path, bookmarks: Mapping[str, Bookmark]) -> None:
    """Replace the file in one step: a crash leaves the old one, never half of a new one."""
    content = {
        "v": _VERSION,
        "sources": {
            name: {"floor": kept.floor, "ids": kept.ids} for name, kept in bookmarks.items()
        },
    }
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(content), encoding="utf-8")
    os.replace(fresh, path)
