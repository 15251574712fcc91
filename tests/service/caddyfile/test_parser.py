"""The parser: text -> blocks, or an error at its line. Cases of imports are in test_imports."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.caddyfile import Directive, ServerBlock, parse
from service.caddyfile.adapt import adapt
from service.errors import CaddyfileError


def read(text: str, **environment: str) -> tuple[ServerBlock, ...]:
    return parse(text, environment=environment)


def only(text: str, **environment: str) -> ServerBlock:
    (block,) = read(text, **environment)
    return block


def words(block: ServerBlock) -> list[list[str]]:
    return [[each.name, *(token.text for token in each.args)] for each in block.directives]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("localhost", ["localhost"]),
        ("localhost:1234\ndir1 foo bar", ["localhost:1234"]),
        ("a {\n}", ["a"]),
        ("a b c {\n}", ["a", "b", "c"]),
        ("a, b,c {\n}", ["a", "b,c"]),
        ("a,\nb, # comment\n\nc {\n}", ["a", "b", "c"]),
        ("a,,\nb", ["a,", "b"]),
        ('a "" b', ["a", "b"]),
        ('"a b", c', ["a b", "", "c"]),
        ("a#b c\ndir", ["a", "c"]),
        ("(a) (b) {\n}", ["(a)", "(b)"]),
        ("(a)", ["(a)"]),
    ],
)
def test_keys(text: str, keys: list[str]) -> None:
    assert list(only(text).keys) == keys


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\ndir1\ndir2 x y", [["dir1"], ["dir2", "x", "y"]]),
        ("a {\n dir1 x\n dir1 y\n}", [["dir1", "x"], ["dir1", "y"]]),
        ("a { dir1\n}", [["dir1"]]),
        ("a {\n dir1 {}\n}", [["dir1", "{}"]]),
        ('a {\n dir1 "x\n y" z\n dir2\n}', [["dir1", "x\n y", "z"], ["dir2"]]),
        # v1 takes the last `}` of the file for both
        ("a {\n dir1 {\n }\n", [["dir1"]]),
    ],
)
def test_directives_keep_the_order_of_the_file(text: str, expected: list[list[str]]) -> None:
    assert words(only(text)) == expected


def test_a_block_has_lines_and_every_token_its_place() -> None:
    block = only("a {\n\n dir x {\n  sub y z\n\n  last\n }\n}")
    (directive,) = block.directives
    assert (directive.name, directive.file, directive.line) == ("dir", "Caddyfile", 3)
    assert directive.block is not None
    assert [[(each.text, each.line) for each in line] for line in directive.block] == [
        [("sub", 4), ("y", 4), ("z", 4)],
        [("last", 6)],
    ]


def test_an_empty_block_is_a_block_without_lines() -> None:
    assert only("a\ndir {\n}").directives[0].block == ()
    assert only("a\ndir").directives[0].block is None


def test_a_nested_block_is_flat_lines_with_braces() -> None:
    (directive,) = only("a\ndir {\n x {\n  y\n }\n z\n}").directives
    assert directive.block is not None
    assert [[token.text for token in line] for line in directive.block] == [
        ["x", "{"],
        ["y"],
        ["}"],
        ["z"],
    ]


def test_what_follows_a_block_on_its_line_is_another_occurrence() -> None:
    block = only("a\nredir {\n /x /y\n} redir {\n /p /q\n}")
    assert [each.name for each in block.directives] == ["redir", "redir"]


def test_a_brace_on_a_line_of_its_own_opens_no_block() -> None:
    first, *others = only("a\ndir x\n{\n y\n}").directives
    assert first == Directive("dir", "Caddyfile", 2, first.args, None)
    assert [each.name for each in others] == ["{", "y", "}"]


def test_several_blocks_keep_their_order() -> None:
    assert [block.keys for block in read("b {\n}\na {\n}\n(s) {\n}\n{\n dir\n}")] == [
        ("b",),
        ("a",),
    ]


PREFIX = "Error during parsing: "


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a, {\n}", 1, PREFIX + "Expected another address but had '{' - check for extra comma"),
        ("a,\n", 1, PREFIX + "Unexpected EOF"),
        (",", 1, PREFIX + "Unexpected EOF"),
        ("a {\n dir }\n}", 2, PREFIX + "Unexpected '}' because no matching opening brace"),
        ("a {\n dir {\n x\n", 3, PREFIX + "Unexpected EOF"),
        ("a {\n dir\n", 2, "Syntax error: Unexpected token 'dir', expecting '}'"),
        ("a {", 1, "Syntax error: Unexpected token '{', expecting '}'"),
        ("(s)\ndir", 2, "Syntax error: Unexpected token 'dir', expecting '{'"),
        ("(s) {\n dir {\n }\n", 3, "Syntax error: Unexpected token '}', expecting '}'"),
        (
            "(s) {\n}\n(s) {\n}",
            3,
            PREFIX + "redeclaration of previously declared snippet s",
        ),
    ],
)
def test_errors_say_where(text: str, line: int, message: str) -> None:
    with pytest.raises(CaddyfileError) as caught:
        read(text)
    assert str(caught.value) == f"Caddyfile:{line} - {message}"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{$HOST}:{%PORT%}", "h:80"),
        ("{%PORT%}{$UNSET}{%UNSET%}", "80"),
        ("{$HOST", "{$HOST"),
        ("{$}{$HOST}", "{$}{$HOST}"),
        ("{%%}{$HOST}", "{%%}h"),
        ("{$PORT$}", "dollar"),
        ("{{.Name}}{$HOST}", "{{.Name}}h"),
        ("{$CHAIN}", "h"),
        ("{%NAMED%}", "h"),
        ("{$BLANK}", "a b"),
    ],
)
def test_environment_values_are_put_in(text: str, key: str) -> None:
    environment = {
        "HOST": "h",
        "PORT": "80",
        "PORT$": "dollar",
        "CHAIN": "{$HOST}",
        "NAMED": "{$HOST}",
        "BLANK": "a b",
    }
    assert parse(text, environment=environment)[0].keys == (key,)


def test_environment_values_reach_names_and_quoted_words_but_make_no_tokens() -> None:
    block = only('a\n{$NAME} "{$VALUE}" {$VALUE}', NAME="dir", VALUE="{ x }")
    assert words(block) == [["dir", "{ x }", "{ x }"]]


@pytest.mark.parametrize(
    "environment",
    [
        {"A": "{$A}"},
        {"A": "x{$A}{$A}"},
        {"A": "{$B}", "B": "{$A}"},
        {f"V{n}": f"{{$V{n + 1}}}{{$V{n + 1}}}" for n in range(60)} | {"A": "{$V0}"},
    ],
)
def test_environment_values_that_lead_back_or_explode_are_an_error(
    environment: dict[str, str],
) -> None:
    with pytest.raises(CaddyfileError, match=r"Caddyfile:2 - .*leads back to itself or grows"):
        parse("a\ndir {$A}", environment=environment)


PIECES = st.sampled_from(
    ["{", "}", "\n", " ", "\t", "\r", ",", "a", "dir", '"', "\\", "#", "{$A}", "{%B%}", "{$",
     "(s)", "import s", "import missing", '""', "\ufeff", "\x1c", "\x85", "\0", ":80 {\n"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=3), max_size=60).map("".join))
@example("(s) {\nimport s\n}\na {\nimport s\n}")
def test_any_text_is_parsed_or_refused_at_a_place_in_time(text: str) -> None:
    started = time.process_time()
    try:
        adapt(parse(text, environment={"A": "{$A}x", "B": "{"}))
    except CaddyfileError as error:
        assert str(error).startswith(f"{error.file}:{error.line} - ")
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "text",
    ["a {\n" * 30_000, '"' * 100_001, "\\" * 100_000, "a#b " * 30_000, "{$A}" * 25_000,
     "a\n" + "dir {\n" * 15_000 + "}\n" * 15_000, '"\\' * 50_000, "{$" * 50_000],
)  # fmt: skip
def test_large_texts_of_one_kind_take_no_more_than_a_second(text: str) -> None:
    started = time.process_time()
    try:
        adapt(parse(text, environment={"A": "b"}))
    except CaddyfileError as error:
        assert error.line >= 0
    assert time.process_time() - started < 1


@given(st.lists(st.text("abc/:.", min_size=1), min_size=1, max_size=5), st.booleans())
def test_keys_may_be_separated_in_any_of_the_ways(keys: list[str], commas: bool) -> None:
    text = (",\n" if commas else " ").join(keys) + " {\n}\n"
    assert list(only(text).keys) == keys
