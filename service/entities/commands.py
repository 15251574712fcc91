"""Commands to a store as values: which entity, and what happens to it.

An entity is one hash. Its fields are the attributes' names as JSON strings, with their values as
JSON (text, or a list of text). The field `last_update`, unquoted so that an attribute may have the
same name, is when it was written. So a reply is joined, and an update cut, without parsing JSON, in
Lua and in Python alike.

Entity, Read and Replace are named tuples: nearly every request creates two, and a frozen dataclass
takes three times as long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from service.errors import FilterError

LAST_UPDATE = b"last_update"

METHODS = "GET, HEAD, PUT, POST, DELETE, OPTIONS"

ENTITY_BYTES = 1_048_576  # all names and values as JSON
ENTITY_ATTRIBUTES = 1_000  # without `last_update`

Verb: TypeAlias = Literal["set", "delete", "add", "append", "prepend"]


class TooLarge(FilterError):
    """An entity would exceed its maximum size; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            413,
            f"the entity would have more than {ENTITY_ATTRIBUTES} attributes"
            f" or {ENTITY_BYTES} bytes",
        )


class Entity(NamedTuple):
    """`store_key` is the hash's key in the store; `head` is the beginning of its JSON, with the
    parts of its path.
    """

    store_key: bytes
    head: bytes = b"{"
    key: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one attribute.

    The argument is JSON (set), list items without brackets (append, prepend), a number in digits
    (add), or empty (delete).
    """

    name: bytes
    verb: Verb
    argument: bytes = b""


class Read(NamedTuple):
    """Read entities.

    `fields` None means every attribute; `batch` that a list of keys was requested.
    """

    entities: tuple[Entity, ...]
    fields: tuple[bytes, ...] | None = None
    batch: bool = False


# For nearly every request: a named tuple's own constructor takes twice as long.
new = tuple.__new__


class Replace(NamedTuple):
    """`members` are name, value, name, value …, without repeated names."""

    entity: Entity
    members: tuple[bytes, ...]
    last_update: bytes


@dataclass(frozen=True, slots=True)
class Update:
    entity: Entity
    changes: tuple[Change, ...]
    last_update: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    entity: Entity


Command: TypeAlias = Read | Replace | Update | Delete

Hash: TypeAlias = Sequence[bytes]
"""Field, value, field, value …; empty when there is no such entity."""

Reply: TypeAlias = Sequence[Hash] | bool | None
"""Read: one hash for each entity. Replace: whether it was there before. Otherwise nothing."""
