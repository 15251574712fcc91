"""What a Caddyfile is made of: tokens, directives and server blocks."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Directive:
    """One occurrence of a directive: its line's arguments and, in braces, its lines.

    A nested block is kept flat: its braces are ordinary tokens of the lines.
    """

    name: str
    file: str
    line: int
    args: tuple[Token, ...]
    block: tuple[tuple[Token, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class ServerBlock:
    """`addresses` are the tokens the keys came from.

    `tokens` are all tokens of a directive, of all its occurrences: how v1 itself keeps them.
    """

    keys: tuple[str, ...]
    directives: tuple[Directive, ...]
    addresses: tuple[Token, ...] = ()
    tokens: Mapping[str, tuple[Token, ...]] = field(default_factory=dict)


def same_line(token: Token, following: Token) -> bool:
    """Whether `following` stands on the line on which `token`, which may span lines, ends."""
    return token.file == following.file and token.line + token.text.count("\n") == following.line


def starts_line(token: Token, previous: Token | None) -> bool:
    """Not the opposite of `same_line`: a line number that went down starts no new line.

    That happens only between tokens of snippets, and v1 behaves so.
    """
    if previous is None or previous.file != token.file:
        return True
    return previous.line + previous.text.count("\n") < token.line
