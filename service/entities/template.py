"""Match a path template, `/v1/cids/{cid}/…/keys/{key}`: from a raw path to entities."""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote

from service.entities.commands import Entity, new
from service.entities.percent import decode
from service.errors import FilterError

BATCH_LIMIT = 100  # keys in one path

_PLACEHOLDER = re.compile(r"\{([^{}/]*)\}")
_PLAIN = "[A-Za-z0-9_.~-]+"
_LONG = 512  # longer paths are rare, and remembering them would take memory
_is_plain = re.compile(_PLAIN).fullmatch
_are_plain = re.compile("[A-Za-z0-9_.~,-]+").fullmatch


class Template:
    """`rules` say what each decoded part must look like; `owner` is the part that scope guards.

    A bare comma in the last part separates keys. Nearly every path is plain: nothing in it is
    encoded or a separator, so it is neither decoded nor quoted, and all but its last part is
    remembered.
    """

    def __init__(
        self, pieces: Sequence[str], rules: Sequence[tuple[str, re.Pattern[str]]], owner: str
    ) -> None:
        self.rules = tuple(rules)
        self.names = tuple(name for name, _ in rules)
        self.owner = owner
        self._first = _pattern(pieces[:-1], _PLAIN).fullmatch if pieces[-1] == "" else None
        self._any = _pattern(pieces, "[^/]+").fullmatch
        self._allowed = tuple(rule.fullmatch for _, rule in rules)
        self._owner = self.names.index(owner) if owner else None
        self._labels = tuple(i for i in range(len(rules)) if i != self._owner)
        self._last_allowed = self._allowed[-1]
        self._known = lru_cache(1024)(self._begin)

    def match(self, raw_path: str) -> tuple[str, tuple[Entity, ...], bool]:
        """Return (owner, entities, whether a list was requested)."""
        slash = raw_path.rfind("/") + 1
        first, key = raw_path[:slash], raw_path[slash:]
        known = self._known(first) if slash < _LONG else None
        if known is None or not _is_plain(key):
            if known is not None and _are_plain(key):
                return self._match_list(known, key)
            return self._match_encoded(raw_path)
        if not self._last_allowed(key):
            raise self._refusal(-1)
        owner, store_key, head = known
        name = key.encode()
        return owner, (new(Entity, (store_key + name, head % name, key)),), False

    def _match_list(
        self, known: tuple[str, bytes, bytes], text: str
    ) -> tuple[str, tuple[Entity, ...], bool]:
        if text.count(",") >= BATCH_LIMIT:
            raise FilterError(400, f"more than {BATCH_LIMIT} keys at once")
        owner, store_key, head = known
        entities = []
        for key in text.split(","):
            if not self._last_allowed(key):
                raise self._refusal(-1)
            name = key.encode()
            entities.append(Entity(store_key + name, head % name, key))
        return owner, tuple(entities), True

    def _begin(self, first: str) -> tuple[str, bytes, bytes] | None:
        """Return (owner, beginning of the store key, beginning of the JSON) for a plain path."""
        match = self._first(first) if self._first else None
        if match is None:
            return None
        parts = match.groups()
        for i, part in enumerate(parts):
            if not self._allowed[i](part):
                raise self._refusal(i)
        texts = [f'"{self.names[i]}":"{(*parts, "%b")[i]}"' for i in self._labels]
        store_key = "".join(f"{part}:" for part in parts)
        owner = "" if self._owner is None else parts[self._owner]
        return owner, store_key.encode(), ("{" + ",".join(texts)).encode()

    def _match_encoded(self, raw_path: str) -> tuple[str, tuple[Entity, ...], bool]:
        match = self._any(raw_path)
        if match is None:
            raise FilterError(400, "missing path parameters")
        *first, last = match.groups()
        if last.count(",") >= BATCH_LIMIT:
            raise FilterError(400, f"more than {BATCH_LIMIT} keys at once")
        before = [self._decoded(i, part) for i, part in enumerate(first)]
        keys = [self._decoded(len(first), key) for key in last.split(",")]
        entities = tuple(self._entity([*before, key]) for key in keys)
        return "" if self._owner is None else before[self._owner], entities, len(keys) > 1

    def _decoded(self, i: int, raw: str) -> str:
        text = decode(raw)
        if not self._allowed[i](text):
            raise self._refusal(i)
        return text

    def _entity(self, parts: list[str]) -> Entity:
        # A colon in data must not look like a separator of parts.
        stored = [part if _is_plain(part) else quote(part, safe="") for part in parts]
        labels = {self.names[i]: parts[i] for i in self._labels}
        head = json.dumps(labels, ensure_ascii=False, separators=(",", ":"))[:-1]
        return Entity(":".join(stored).encode(), head.encode(), parts[-1])

    def _refusal(self, i: int) -> FilterError:
        return FilterError(400, f"the path's {self.names[i]} is not of the allowed form")


def compile(text: str, rules: dict[str, str], default: str, owner: str) -> Template:
    """Compile a template; parts without a rule get the default.

    Raises ValueError with what is wrong.
    """
    names = _PLACEHOLDER.findall(text)
    if not text.startswith("/") or not names:
        raise ValueError("a template begins with / and names its parts, like /things/{key}")
    if len(set(names)) != len(names) or not all(name.isidentifier() for name in names):
        raise ValueError("the parts of a template need names that differ")
    if unknown := sorted({*rules} - {*names}):
        raise ValueError(f"the template has no part {{{unknown[0]}}}")
    if owner and owner not in names[:-1]:
        raise ValueError(f"the template needs a part {{{owner}}} before its last")
    pieces = _PLACEHOLDER.split(text)[::2]
    return Template(pieces, [(name, re.compile(rules.get(name, default))) for name in names], owner)


def _pattern(pieces: Sequence[str], part: str) -> re.Pattern[str]:
    return re.compile(f"({part})".join(map(re.escape, pieces)))
