"""The JSON that clients see."""

import orjson
import pytest

from service.entities import document
from service.entities.commands import LAST_UPDATE, Entity, Read

ENTITY = Entity(b"c:t:d:k", b'{"type":"t","domain":"d","key":"k\\""', 'k"')


def test_an_entity_is_its_labels_its_time_and_its_attributes_by_name() -> None:
    members = [b'"b"', b'["x",""]', LAST_UPDATE, b'"2026"', b'"a"', b'"1"']
    assert document.entity(ENTITY, members) == (
        b'{"type":"t","domain":"d","key":"k\\"","last_update":"2026",'
        b'"attributes":{"a":"1","b":["x",""]}}'
    )


def test_an_attribute_may_be_called_last_update() -> None:
    members = [LAST_UPDATE, b'"2026"', b'"last_update"', b'"mine"']
    read = orjson.loads(document.entity(ENTITY, members))
    assert (read["last_update"], read["attributes"]) == ("2026", {"last_update": "mine"})


@pytest.mark.parametrize("count", [0, 1, 2, 64, 65, 1000])
def test_any_number_of_attributes_of_any_name_is_told(count: int) -> None:
    attributes = {f"100%b {n}": str(n) for n in range(count)}
    pairs = [orjson.dumps(part) for pair in attributes.items() for part in pair]
    for _ in range(2):  # a layout that is met again gives the same
        read = orjson.loads(document.entity(ENTITY, [LAST_UPDATE, b'"2026"', *pairs]))
        assert read["attributes"] == attributes
        assert list(read["attributes"]) == sorted(attributes)


def test_without_a_time_it_is_null() -> None:
    read = orjson.loads(document.entity(ENTITY, [b'"a"', b'"1"']))
    assert (read["last_update"], read["attributes"]) == (None, {"a": "1"})


def test_a_batch_says_what_is_missing() -> None:
    replies = [[LAST_UPDATE, b'"2026"'], []]
    read = orjson.loads(document.entities(Read((ENTITY, ENTITY), None, True), replies))
    assert [entity["attributes"] for entity in read["entities"]] == [{}]
    assert read["missing"] == ['k"']
