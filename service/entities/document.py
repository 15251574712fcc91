"""Replies -> the JSON that clients see, by joining what the hash already holds as JSON."""

from collections.abc import Sequence

import orjson

from service.entities.commands import LAST_UPDATE, Entity, Hash, Read


def entity(entity: Entity, found: Hash) -> bytes:
    """Attributes in order of name, so that every store gives the same bytes."""
    members = sorted(zip(found[::2], found[1::2], strict=True))
    last_update = b"null"
    for i, (name, value) in enumerate(members):
        if name == LAST_UPDATE:
            last_update = value
            del members[i]
            break
    return b'%b,"last_update":%b,"attributes":{%b}}' % (
        orjson.dumps(dict(entity.labels))[:-1],
        last_update,
        b",".join([b"%b:%b" % member for member in members]),
    )


def entities(command: Read, replies: Sequence[Hash]) -> bytes:
    """`missing` repeats the last label, which is the key, of each entity that is not there."""
    pairs = list(zip(command.entities, replies, strict=True))
    found = [entity(one, reply) for one, reply in pairs if reply]
    missing = [one.labels[-1][1] for one, reply in pairs if not reply]
    return b'{"entities":[%b],"missing":%b}' % (b",".join(found), orjson.dumps(missing))
