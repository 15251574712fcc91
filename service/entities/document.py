"""Replies -> the JSON that clients see, by joining what the hash already holds as JSON."""

from collections.abc import Sequence

import orjson

from service.entities.commands import LAST_UPDATE, Entity, Hash, Read


def entity(entity: Entity, found: Hash) -> bytes:
    """Attributes in order of name, so that every store gives the same bytes."""
    attributes = dict(zip(found[::2], found[1::2], strict=True))
    last_update = attributes.pop(LAST_UPDATE, b"null")
    members = b",".join([name + b":" + attributes[name] for name in sorted(attributes)])
    return b'%b,"last_update":%b,"attributes":{%b}}' % (entity.head, last_update, members)


def entities(command: Read, replies: Sequence[Hash]) -> bytes:
    """`missing` repeats the key of each entity that is not there."""
    pairs = list(zip(command.entities, replies, strict=True))
    found = [entity(one, reply) for one, reply in pairs if reply]
    missing = [one.key for one, reply in pairs if not reply]
    return b'{"entities":[%b],"missing":%b}' % (b",".join(found), orjson.dumps(missing))
