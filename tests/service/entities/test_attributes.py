"""The value syntax, by table; cases of the original first."""

from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.entities import attributes
from service.entities.commands import Change
from service.errors import FilterError


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("12", "12"),
        ("", ""),
        ("y+e%20s", "y e s"),
        ("%25%26%2B%2C%3D%5D%5B", "%&+,=]["),
        ("%5Ba%2Cb%5D", "[a,b]"),
        ("a,b,", "a,b,"),
        ("a[b]", "a[b]"),
        ("%24INCR", "$INCR"),
        ("[]", []),
        ("[a]", ["a"]),
        ("[a,b,,c,]", ["a", "b", "", "c", ""]),
        ("[,]", ["", ""]),
        ("[a%2Cb,c+d,%5D]", ["a,b", "c d", "]"]),
        ("[$INCR]", ["$INCR"]),
        ("%F0%9F%8D%8E", "\N{RED APPLE}"),
    ],
)
def test_a_value_is_a_text_or_a_list(raw: str, expected: str | list[str]) -> None:
    assert orjson.loads(attributes.value(raw)) == expected


@pytest.mark.parametrize(
    ("raw", "verb", "argument"),
    [
        ("x", "set", b'"x"'),
        ("[x,y]", "set", b'["x","y"]'),
        ("$INCR", "add", b"1"),
        ("$ADD(1.7)", "add", b"1.7"),
        ("$ADD(-2)", "add", b"-2"),
        ("$ADD(1e3)", "add", b"1000"),
        ("$ADD(.5)", "add", b"0.5"),
        ("$DELETE", "delete", b""),
        ("$APPEND[a,b]", "append", b'"a","b"'),
        ("$APPEND(a,b)", "append", b'"a","b"'),
        ("$APPEND[]", "append", b""),
        ("$PREPEND(-2,-1,0,)", "prepend", b'"-2","-1","0",""'),
        ("$PREPEND[a%29]", "prepend", b'"a)"'),
    ],
)
def test_a_change_is_a_value_or_a_command(raw: str, verb: str, argument: bytes) -> None:
    change = attributes.change(b'"n"', raw)
    assert (change.name, change.verb) == (b'"n"', verb)
    if raw.startswith("$ADD"):
        assert float(change.argument) == float(argument)
    else:
        assert change.argument == argument


@pytest.mark.parametrize(
    "raw",
    [
        "$INCR(1.2)",
        "$ADD",
        "$ADD()",
        "$ADD[1]",
        "$ADD(x)",
        "$ADD(nan)",
        "$ADD(inf)",
        "$ADD(0x10)",
        "$ADD(1_0)",
        "$ADD(9007199254740992)",
        "$ADD(1e999)",
        "$APPEND",
        "$APPEND(a]",
        "$APPEND(a",
        "$PREPEND",
        "$DELETE()",
        "$SET(1)",
        "$incr",
        "$",
        "$100",
        "[a",
        "[",
        "%",
        "%zz",
        "[a,%f]",
        "%ff",
        "%C3%28",
        "%ED%A0%80",
    ],
)
def test_wrong_syntax_is_the_clients_fault(raw: str) -> None:
    with pytest.raises(FilterError) as caught:
        attributes.change(b'"n"', raw)
    assert caught.value.status == 400


@given(st.text())
def test_what_is_percent_encoded_comes_back_as_it_was(text: str) -> None:
    for encode in (quote, quote_plus):
        assert attributes.change(b"n", encode(text, safe="")) == Change(
            b"n", "set", orjson.dumps(text)
        )


@given(st.lists(st.text(), min_size=2))
def test_lists_of_encoded_items_come_back_as_they_were(items: list[str]) -> None:
    raw = ",".join(quote(item, safe="") for item in items)
    assert orjson.loads(attributes.value(f"[{raw}]")) == items


@given(st.text(alphabet="$[](),%ADINCRPEL019.-+eE\x00 \u20ac", max_size=30))
def test_any_text_is_a_change_or_a_refusal(raw: str) -> None:
    try:
        attributes.change(b"n", raw)
    except FilterError as error:
        assert error.status == 400
