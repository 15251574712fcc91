"""Split a Caddyfile into tokens, exactly as Caddy v1 does."""

import re
from collections.abc import Iterator

from service.caddyfile.tokens import Token

# White space by Go's unicode.IsSpace; Python's own includes U+001C to U+001F.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SPACE_BUT_CR = _SPACE.replace("\r", "")

# A lone CR ends nothing. A comment that starts inside a word ends at the first blank; one that
# starts a word ends with the line. After a closing quote a new token starts.
_NEXT = re.compile(
    rf"""[{_SPACE}]+
    | \#[^\n]*
    | "(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)(?P<end>"|\\?\Z)
    | (?P<word>[^{_SPACE}\#"][^{_SPACE_BUT_CR}\#]*)(?:\#[^{_SPACE_BUT_CR}]*)?
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED_QUOTE = re.compile(r"\\(.)", re.DOTALL)


def decode(raw: bytes) -> str:
    """Decode bytes as v1 does: each byte that is not UTF-8 becomes one U+FFFD."""
    return replace_surrogates(raw.decode("utf-8", "surrogateescape"))


def replace_surrogates(text: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def tokenize(text: str, file: str) -> Iterator[Token]:
    text = text.removeprefix("\ufeff")
    line = 1
    for match in _NEXT.finditer(text):
        if match["word"] is not None:
            yield Token(match["word"].replace("\r", ""), file, line)
        elif match["quoted"] is not None:
            value = _ESCAPED_QUOTE.sub(_unescape, match["quoted"])
            if value or match["end"] == '"':
                yield Token(value, file, line)
        line += match[0].count("\n")


def _unescape(match: re.Match[str]) -> str:
    return '"' if match[1] == '"' else match[0]
