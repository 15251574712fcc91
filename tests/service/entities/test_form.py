"""A command becomes the request that it came from."""

from typing import cast
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.entities import form
from tests.service.entities.test_mapping import command

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8).map(quote)
VALUES = TEXTS | st.lists(TEXTS, max_size=4).filter(lambda items: items != [""]).map(
    lambda items: f"[{','.join(items)}]"
)
CHANGES = (
    VALUES
    | st.sampled_from(["$INCR", "$DELETE", "$ADD(1e%2B15)", "$ADD(-.5)", "$APPEND()"])
    | st.lists(TEXTS, min_size=2).map(lambda items: f"$PREPEND({','.join(items)})")
)


def queries(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    names = st.from_regex("[A-Za-z][A-Za-z0-9_]{0,3}", fullmatch=True)
    pairs = st.dictionaries(names, values, max_size=4)
    return pairs.map(lambda given: "&".join(f"{name}={value}" for name, value in given.items()))


@given(queries(VALUES))
def test_a_replacement_sent_again_is_the_same(query: str) -> None:
    assert command("PUT", body=again("PUT", query)) == command("PUT", query=query)


@given(queries(CHANGES))
def test_an_update_sent_again_is_the_same(query: str) -> None:
    assert command("POST", body=again("POST", query)) == command("POST", query=query)


def again(method: str, query: str) -> str:
    sent = form.request(cast(form.Write, command(method, query=query)))
    assert (sent["method"], sent["key"]) == (method, "c1:user:a.b:k")
    return sent["form"]


@pytest.mark.parametrize(
    ("method", "query", "expected"),
    [
        ("PUT", "name=Ann+B&tags=[new,,a%2Cb]", "name=Ann%20B&tags=[new,,a%2Cb]"),
        ("PUT", "a=%24INCR&b=%5Ba%5D", "a=%24INCR&b=%5Ba%5D"),
        ("POST", "n=$INCR&l=$APPEND(a)&x=$DELETE", "n=$ADD(1)&l=$APPEND[a]&x=$DELETE"),
    ],
)
def test_what_is_shown_can_be_read(method: str, query: str, expected: str) -> None:
    shown = form.request(cast(form.Write, command(method, query=query)))
    assert shown["form"] == expected
    assert shown["last_update"] == "2026-11-23T01:02:03Z"


def test_a_deletion_has_neither_form_nor_time() -> None:
    shown = form.request(cast(form.Write, command("DELETE")))
    assert shown == {"method": "DELETE", "key": "c1:user:a.b:k"}
