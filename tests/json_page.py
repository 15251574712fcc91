"""docs/json.md as a table, and what commands print with `--json` compared with it."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs/json.md"
# Their members have names of their own: of variables, outputs, AWS's fields, parts of a snapshot.
_FREE = {
    "data", "dimensions", "fields", "outputs", "parts", "policy", "schema", "secrets", "snapshot",
    "value", "variables",
}  # fmt: skip
# The whole object is such a mapping.
_FREE_TYPES = {"environment"}


def rows() -> Mapping[str, frozenset[str]]:
    """The words in code style of each type's row: its fields and their words."""
    made: dict[str, frozenset[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            types, _, fields = (cell.strip() for cell in line.strip("| ").split(" | ", 2))
            words = re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`]+)`", fields)))
            made |= dict.fromkeys(re.findall(r"`(\w+)`", types), frozenset(words))
    return made


def undocumented(text: str) -> set[str]:
    """Types, and `type.field`s, that these lines of JSON have and the page does not name."""
    known = rows()
    missing = set()
    for line in filter(None, text.splitlines()):
        one = json.loads(line)
        if not isinstance(one, dict) or "v" not in one or one["type"] in _FREE_TYPES:
            continue
        kind = one["type"]
        if kind not in known:
            missing.add(kind)
            continue
        missing |= {
            f"{kind}.{name}" for name in names(one) if name not in known[kind] | {"v", "type"}
        }
    return missing


def names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            if name not in _FREE:
                yield from names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names(inner)
