"""Write replies as the JSON that clients see, by joining the JSON that the hash holds."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson

from service.entities.commands import LAST_UPDATE, Entity, Hash, Read

_WIDE = 64  # fields; wider entities are rare, and remembering them would take memory


def entity(entity: Entity, members: Hash) -> bytes:
    """Return an entity's JSON, with attributes ordered by name: all stores give the same bytes."""
    global _last
    names = members[::2]
    if names != _last[0]:  # comparing takes half as long as hashing
        known = _known if len(names) <= _WIDE else _layout
        _last = names, known(tuple(names))
    text, values = _last[1]
    return text % (entity.head, *values(members))


def _layout(names: tuple[bytes, ...]) -> tuple[bytes, Callable[[Hash], tuple[Any, ...]]]:
    """Return a text with places for the values of a hash with these fields, and how to take them.

    Entities of one type have the same fields in the same order, so few layouts occur again and
    again.
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


# The names of the previous entity, which are nearly always those of the next.
_last: tuple[Hash, tuple[bytes, Callable[[Hash], tuple[Any, ...]]]] = ((), _layout(()))


def entities(command: Read, replies: Sequence[Hash]) -> bytes:
    """Return a batch's JSON. `missing` lists the keys of entities that do not exist."""
    pairs = list(zip(command.entities, replies, strict=True))
    documents = [entity(one, reply) for one, reply in pairs if reply]
    missing = [one.key for one, reply in pairs if not reply]
    return b'{"entities":[%b],"missing":%b}' % (b",".join(documents), orjson.dumps(missing))
