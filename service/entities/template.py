"""A path template, `/v1/cids/{cid}/…/keys/{key}`: raw path -> entities."""

import re
from dataclasses import dataclass
from urllib.parse import quote

from service.entities.attributes import decode
from service.entities.commands import Entity
from service.errors import FilterError

_PLACEHOLDER = re.compile(r"\{([^{}/]*)\}")
_PLAIN = re.compile("[A-Za-z0-9_.~-]+")


@dataclass(frozen=True, slots=True)
class Template:
    """`rules` say what each part may look like once decoded; `owner` is the part scope guards.

    A bare comma in the last part separates keys.
    """

    pattern: re.Pattern[str]
    rules: tuple[tuple[str, re.Pattern[str]], ...]
    owner: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.rules)

    def match(self, raw_path: str) -> tuple[str, tuple[Entity, ...], bool]:
        """Whose entities they are, the entities, and whether they were asked for as a list."""
        found = self.pattern.fullmatch(raw_path)
        if found is None:
            raise FilterError(400, "missing path parameters")
        *parts, last = found.groups()
        decoded = [
            _checked(name, rule, part)
            for (name, rule), part in zip(self.rules, parts, strict=False)
        ]
        name, rule = self.rules[-1]
        keys = last.split(",")
        entities = tuple(self._entity([*decoded, _checked(name, rule, key)]) for key in keys)
        owner = decoded[self.names.index(self.owner)] if self.owner else ""
        return owner, entities, len(keys) > 1

    def _entity(self, parts: list[str]) -> Entity:
        labels = tuple(
            (name, part)
            for (name, _), part in zip(self.rules, parts, strict=True)
            if name != self.owner
        )
        return Entity(":".join(map(_stored, parts)).encode(), labels)


def compile(text: str, rules: dict[str, str], default: str, owner: str) -> Template:
    """Raises ValueError with what is wrong. Parts without a rule of their own get the default."""
    names = _PLACEHOLDER.findall(text)
    if not text.startswith("/") or not names:
        raise ValueError("a template begins with / and names its parts, like /things/{key}")
    if len(set(names)) != len(names) or not all(name.isidentifier() for name in names):
        raise ValueError("the parts of a template need names that differ")
    if unknown := sorted({*rules} - {*names}):
        raise ValueError(f"the template has no part {{{unknown[0]}}}")
    if owner and owner not in names[:-1]:
        raise ValueError(f"the template needs a part {{{owner}}} before its last")
    pattern = "".join(
        re.escape(piece) if i % 2 == 0 else "([^/]+)"
        for i, piece in enumerate(_PLACEHOLDER.split(text))
    )
    return Template(
        re.compile(pattern),
        tuple((name, re.compile(rules.get(name, default))) for name in names),
        owner,
    )


def _checked(name: str, rule: re.Pattern[str], raw: str) -> str:
    text = decode(raw)
    if not rule.fullmatch(text):
        raise FilterError(400, f"the path's {name} is not of the allowed form")
    return text


def _stored(part: str) -> str:
    # A colon that is data must not look like the one between the parts.
    return part if _PLAIN.fullmatch(part) else quote(part, safe="")
