"""The parts of a Caddyfile: tokens, directives and server blocks."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Directive:
    """One occurrence of a directive: the arguments on its line and the lines in its braces.

    Nested blocks are not parsed: their braces are ordinary tokens of the lines.
    """

    name: str
    file: str
    line: int
    args: tuple[Token, ...]
    block: tuple[tuple[Token, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class ServerBlock:
    """A server block. `addresses` are the tokens of the keys.

    `tokens` holds all tokens of a directive, of all its occurrences, as v1 itself keeps them.
    """

    keys: tuple[str, ...]
    directives: tuple[Directive, ...]
    addresses: tuple[Token, ...] = ()
    tokens: Mapping[str, tuple[Token, ...]] = field(default_factory=dict)


def same_line(token: Token, following: Token) -> bool:
    """Return whether `following` is on the line on which `token` ends; tokens may span lines."""
    return token.file == following.file and token.line + token.text.count("\n") == following.line


def starts_line(token: Token, previous: Token | None) -> bool:
    """Return whether the token starts a line.

    Not the opposite of `same_line`: a smaller line number does not start a new line. That happens
    only between tokens of snippets, and v1 behaves like this.
    """
    if previous is None or previous.file != token.file:
        return True
    return previous.line + previous.text.count("\n") < token.line
