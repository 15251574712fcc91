import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.caddyfile import parse
from service.caddyfile.adapt import adapt


def body(text: str, **environment: str) -> object:
    return json.loads(adapt(parse(text, environment=environment)))[0]["body"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("# only words\n", None),
        ("(snippet) {\n a\n}\n", None),
        ("{\n a\n}\n", None),
        (":80", [{"keys": [":80"], "body": []}]),
        ("a, b {\n}", [{"keys": ["a", "b"], "body": []}]),
        (
            "a {\n x 1\n}\nb {\n y\n}",
            [{"keys": ["a"], "body": [["x", "1"]]}, {"keys": ["b"], "body": [["y"]]}],
        ),
    ],
)
def test_blocks_and_keys(text: str, expected: object) -> None:
    assert json.loads(adapt(parse(text, environment={}))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("z 1\na 2\nz 3", [["a", "2"], ["z", "1"], ["z", "3"]]),
        ("dir {\n}", [["dir", []]]),
        ("dir {}", [["dir", "{}"]]),
        ("dir a {\n b c\n d\n}", [["dir", "a", [["b", "c"], ["d"]]]]),
        ("dir {\n a {\n  b {\n   c\n  }\n }\n d\n}", [["dir", [["a", [["b", [["c"]]]]], ["d"]]]]),
        ("dir {\n a\n} b", [["dir", [["a"]], "b"]]),
        ("dir { a }\n}", [["dir", [["a", "}"]]]]),
        ("dir a\n{\n b\n}", [["dir", "a"], ["{"], ["b"], ["}"]]),
        ('dir "a b" ""', [["dir", "a b", ""]]),
        ('dir "x\ny" z\nf', [["dir", "x\ny", "z"], ["f"]]),
    ],
)
def test_lines_and_blocks_of_a_body(text: str, expected: object) -> None:
    assert body(f":80\n{text}") == expected


def test_a_name_is_sorted_by_its_value_but_written_as_it_stands() -> None:
    assert body(":80\n{$LAST} 1\nm 2", LAST="z") == [["m", "2"], ["{$LAST}", "1"]]


def test_a_directive_without_a_name_is_written_once_more_for_each_directive() -> None:
    assert body(':80\n"" 1\nb 2') == [["", "1"], ["", "1"], ["", "1"], ["b", "2"]]


def test_characters_are_escaped_as_go_escapes_them() -> None:
    text = adapt(parse(':80\ndir <&> "\u2028\t\\"" é', environment={}))
    assert text == (
        '[{"keys":[":80"],"body":[["dir","\\u003c\\u0026\\u003e","\\u2028\\t\\"","é"]]}]'
    )


def test_a_value_that_is_not_unicode_becomes_replacement_characters() -> None:
    assert body(":80\ndir {$X}", X="\udcff") == [["dir", "\ufffd"]]


def test_blocks_may_be_nested_deeper_than_the_stack() -> None:
    depth = sys.getrecursionlimit() * 10
    text = ":80\n" + "dir {\n" * depth + "}\n" * depth
    assert adapt(parse(text, environment={})).count("dir") == depth


WORDS = st.text('abc<>&é \n"\\{}#', min_size=1).filter(lambda word: word not in ("{", "}"))


def quoted(word: str) -> str:
    """The text of a token of this value, for a value without backslashes before quotes."""
    return '"' + word.replace('"', '\\"') + '"'


@given(st.lists(WORDS.filter(lambda word: "\\" not in word)))
def test_quoted_words_come_back_as_they_were(words: list[str]) -> None:
    line = " ".join(map(quoted, ["dir", *words]))
    assert body(f":80\n{line}") == [["dir", *words]]
