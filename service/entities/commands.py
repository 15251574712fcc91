"""What a request asks of a store, as values: which entity, and what is to happen to it.

An entity is one hash. Its fields are the attributes' names as JSON strings, its values are their
values as JSON (text, or a list of text), and `last_update` (unquoted, so that an attribute may
have that name) is when it was written. So a reply is put together by joining and an update done
by cutting, in Lua and in Python alike, without either of them parsing JSON.

Entity, Read and Replace are named tuples because a frozen dataclass takes three times as long to
make, and nearly every request makes two of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from service.errors import FilterError

LAST_UPDATE = b"last_update"

METHODS = "GET, HEAD, PUT, POST, DELETE, OPTIONS"

ENTITY_BYTES = 1_048_576  # of all names and values as JSON
ENTITY_ATTRIBUTES = 1_000  # `last_update` is not counted

Verb: TypeAlias = Literal["set", "delete", "add", "append", "prepend"]


class TooLarge(FilterError):
    """An entity would become larger than one may be; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            413,
            f"the entity would have more than {ENTITY_ATTRIBUTES} attributes"
            f" or {ENTITY_BYTES} bytes",
        )


class Entity(NamedTuple):
    """`store_key` names the hash; `head` is how its JSON begins, the parts of its path."""

    store_key: bytes
    head: bytes = b"{"
    key: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one attribute.

    The argument is JSON (set), the items of a list without its brackets (append, prepend), a
    number in digits (add), or nothing (delete).
    """

    name: bytes
    verb: Verb
    argument: bytes = b""


class Read(NamedTuple):
    """Without fields, every attribute. `batch` says whether a list of keys was asked for."""

    entities: tuple[Entity, ...]
    fields: tuple[bytes, ...] | None = None
    batch: bool = False


# Of nearly every request: a named tuple's own constructor takes twice as long.
new = tuple.__new__


class Replace(NamedTuple):
    """`members` are name, value, name, value …, no name twice."""

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
