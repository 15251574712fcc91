import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.caddyfile.lexer import decode, tokenize


def lex(text: str) -> list[tuple[int, str]]:
    return [(token.line, token.text) for token in tokenize(text, "Caddyfile")]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        (" \t\n", []),
        ("host:123", [(1, "host:123")]),
        ("host:123\n\ndirective", [(1, "host:123"), (3, "directive")]),
        ("host {\n dir a\n}", [(1, "host"), (1, "{"), (2, "dir"), (2, "a"), (3, "}")]),
        ("a{b}c", [(1, "a{b}c")]),
        # comments
        ("# x\na # y z\nb", [(2, "a"), (3, "b")]),
        ("a#b c d\ne", [(1, "a"), (1, "c"), (1, "d"), (2, "e")]),
        ("redir /a http://h/x#f 301", [(1, "redir"), (1, "/a"), (1, "http://h/x"), (1, "301")]),
        ("a#b\nc", [(1, "a"), (2, "c")]),
        ("a#b\rc d", [(1, "a"), (1, "d")]),
        ('# "a\nb', [(2, "b")]),
        # quotes
        ('"a b" c', [(1, "a b"), (1, "c")]),
        ('"a\nb" c\nd', [(1, "a\nb"), (2, "c"), (3, "d")]),
        ('"a"b', [(1, "a"), (1, "b")]),
        ('a"b c"', [(1, 'a"b'), (1, 'c"')]),
        ('"" a', [(1, ""), (1, "a")]),
        (r'"a\"b"', [(1, 'a"b')]),
        (r'"C:\php\x"', [(1, r"C:\php\x")]),
        (r'"a\\" b', [(1, r"a\\"), (1, "b")]),
        ('"a # b"', [(1, "a # b")]),
        ('"a b\nc', [(1, "a b\nc")]),
        ('a "', [(1, "a")]),
        ('"a\\', [(1, "a")]),
        ("\\", [(1, "\\")]),
        (r"a\"b c", [(1, r"a\"b"), (1, "c")]),
        # white space
        ("a\r\nb", [(1, "a"), (2, "b")]),
        ("a\rb", [(1, "ab")]),
        ('\r"a b"', [(1, "a b")]),
        ('"a\rb"', [(1, "a\rb")]),
        ("a\x1cb", [(1, "a\x1cb")]),
        ("a\x85b\xa0c\u2028d\u3000e\u200bf", [(1, x) for x in ("a", "b", "c", "d", "e\u200bf")]),
        # byte order mark
        ("\ufeffa", [(1, "a")]),
        ("\ufeff\ufeffa", [(1, "\ufeffa")]),
        ("a\ufeff", [(1, "a\ufeff")]),
    ],
)
def test_tokens_and_their_lines(text: str, tokens: list[tuple[int, str]]) -> None:
    assert lex(text) == tokens


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\xc3\xa9", "é"),
        (b"\xff", "\ufffd"),
        (b"\xe2\x82", "\ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xc0\x80", "\ufffd\ufffd"),
    ],
)
def test_each_byte_that_is_not_utf8_becomes_one_mark(raw: bytes, text: str) -> None:
    assert decode(raw) == text


@given(st.text())
def test_lines_never_go_down_and_stay_in_the_text(text: str) -> None:
    lines = [line for line, _ in lex(text)]
    assert lines == sorted(lines)
    assert all(1 <= line <= 1 + text.count("\n") for line in lines)


@given(st.lists(st.text("abc{}:/.\\", min_size=1)))
def test_words_come_back_whatever_blanks_divide_them(tokens: list[str]) -> None:
    assert [text for _, text in lex("\u2003 \x85".join(tokens))] == tokens
