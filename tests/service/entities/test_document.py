"""The JSON that clients see."""

import orjson

from service.entities import document
from service.entities.commands import LAST_UPDATE, Entity, Read

ENTITY = Entity(b"c:t:d:k", b'{"type":"t","domain":"d","key":"k\\""', 'k"')


def test_an_entity_is_its_labels_its_time_and_its_attributes_by_name() -> None:
    found = [b'"b"', b'["x",""]', LAST_UPDATE, b'"2026"', b'"a"', b'"1"']
    assert document.entity(ENTITY, found) == (
        b'{"type":"t","domain":"d","key":"k\\"","last_update":"2026",'
        b'"attributes":{"a":"1","b":["x",""]}}'
    )


def test_an_attribute_may_be_called_last_update() -> None:
    found = [LAST_UPDATE, b'"2026"', b'"last_update"', b'"mine"']
    told = orjson.loads(document.entity(ENTITY, found))
    assert (told["last_update"], told["attributes"]) == ("2026", {"last_update": "mine"})


def test_a_batch_says_what_is_missing() -> None:
    replies = [[LAST_UPDATE, b'"2026"'], []]
    told = orjson.loads(document.entities(Read((ENTITY, ENTITY), None, True), replies))
    assert [entity["attributes"] for entity in told["entities"]] == [{}]
    assert told["missing"] == ['k"']
