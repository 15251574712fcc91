"""Replies -> the JSON that clients see, by joining what the hash already holds as JSON."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson

from service.entities.commands import LAST_UPDATE, Entity, Hash, Read

_WIDE = 64  # fields; what is wider is rare, and remembering it would cost memory


def entity(entity: Entity, members: Hash) -> bytes:
    """Attributes in order of name, so that every store gives the same bytes."""
    global _last
    names = members[::2]
    if names != _last[0]:  # comparing takes half of what it takes to hash them
        known = _known if len(names) <= _WIDE else _layout
        _last = names, known(tuple(names))
    text, values = _last[1]
    return text % (entity.head, *values(members))


def _layout(names: tuple[bytes, ...]) -> tuple[bytes, Callable[[Hash], tuple[Any, ...]]]:
    """Where the values of a hash with these fields go, and how to take them in that order.

    Entities of one type have the same fields, in the order in which they were first written, so
    that few layouts are met again and again.
    """
    places = {name: 2 * i + 1 for i, name in enumerate(names)}
    last_update = places.pop(LAST_UPDATE, None)
    order = [place for _, place in sorted(places.items())]
    members = b",".join([name.replace(b"%", b"%%") + b":%b" for name in sorted(places)])
    if last_update is None:
        text = b'%b,"last_update":null,"attributes":{' + members + b"}}"
    else:
        text = b'%b,"last_update":%b,"attributes":{' + members + b"}}"
        order.insert(0, last_update)
    return text, _picker(order)


_known = lru_cache(256)(_layout)


def _picker(order: Sequence[int]) -> Callable[[Hash], tuple[Any, ...]]:
    match order:
        case []:
            return lambda members: ()
        case [only]:
            return lambda members: (members[only],)
    return itemgetter(*order)


# The names of the entity before, which nearly always are those of the next one.
_last: tuple[Hash, tuple[bytes, Callable[[Hash], tuple[Any, ...]]]] = ((), _layout(()))


def entities(command: Read, replies: Sequence[Hash]) -> bytes:
    """`missing` repeats the key of each entity that is not there."""
    pairs = list(zip(command.entities, replies, strict=True))
    documents = [entity(one, reply) for one, reply in pairs if reply]
    missing = [one.key for one, reply in pairs if not reply]
    return b'{"entities":[%b],"missing":%b}' % (b",".join(documents), orjson.dumps(missing))
