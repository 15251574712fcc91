"""What one request may ask for: more is refused before any work is done for it."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.entities import mapping, percent, template
from service.entities.commands import ENTITY_BYTES, Read
from service.errors import FilterError
from tests.service.entities.test_mapping import command, refused

KEYS = "/v1/cids/c1/entity_types/user/domains/a.b/keys/"


@pytest.mark.parametrize("digits", ["1" * 65, "1" * 20_000 + "x", "0" * 100 + "1", "1" * 40_000])
def test_a_number_is_short_before_any_pattern_sees_it(digits: str) -> None:
    refused(400, method="POST", query=f"a=$ADD({digits})")


def test_as_many_attributes_as_allowed_and_no_more() -> None:
    pairs = [f"a{n}=1" for n in range(mapping.ATTRIBUTES_LIMIT)]
    assert command("PUT", query=pairs[0], body="&".join(pairs[1:]))
    refused(400, method="PUT", query="b=1", body="&".join(pairs))
    refused(400, method="POST", query="b=1", body="&".join(pairs))
    refused(400, method="PUT", body="&" * 1_000_000)


def test_a_name_is_short_whatever_the_pattern_allows() -> None:
    longest = "a" * mapping.NAME_LENGTH
    assert command("PUT", query=f"{longest}=1")
    assert command("GET", query=f"fields={longest}")
    refused(400, method="PUT", query=f"{longest}a=1")
    refused(400, method="GET", query=f"fields={longest}a")


def test_as_many_items_as_allowed_and_no_more() -> None:
    half = "," * (mapping.ITEMS_LIMIT // 2)
    assert command("PUT", body=f"a=[{half}]&b=[{half}]&text={half}")
    refused(400, method="PUT", body=f"a=[{half}]&b=[{half}]&c=[,]")
    refused(400, method="POST", body=f"a=$APPEND[{half}]&b=[{half}]&c=[,]")


def test_an_entity_is_not_larger_than_its_json_may_be() -> None:
    half = "%01" * (ENTITY_BYTES // 12)  # each control character is six bytes of JSON
    assert command("PUT", body=f"a={half}")
    refused(413, method="PUT", body=f"a={half}&b={half}&c=x")


def test_a_batch_reads_each_key_once() -> None:
    read = command("GET", path=KEYS + ",".join(["a", "b", "a"] * 33))
    assert isinstance(read, Read) and read.batch
    assert [one.key for one in read.entities] == ["a", "b"]
    refused(400, method="GET", path=KEYS + ",".join(["a"] * (template.BATCH_LIMIT + 1)))


def test_keys_times_fields_are_bounded() -> None:
    keys = ",".join(f"k{n}" for n in range(100))
    fields = ",".join(f"f{n}" for n in range(mapping.VALUES_LIMIT // 100))
    assert command("GET", path=KEYS + keys, query=f"fields={fields}")
    refused(400, method="GET", path=KEYS + keys, query=f"fields={fields},one_more")
    many = ",".join(f"f{n}" for n in range(mapping.FIELDS_LIMIT + 1))
    refused(400, method="GET", query=f"fields={many}")


@given(st.text())
def test_decoding_is_unquoting(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    encoded = "".join(f"%{byte:02x}" for byte in raw.encode())
    assert percent.decode(encoded) == unquote(encoded, errors="strict")
    try:
        decoded = percent.decode(raw)
    except FilterError:
        assert "%" in raw
    else:
        assert decoded == unquote(raw, errors="strict")
