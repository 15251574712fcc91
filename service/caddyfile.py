"""Caddyfile text -> server blocks. The grammar is Caddy v1.0.5's, quirks included."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Directive:
    """One occurrence of a directive: its line's arguments and, in braces, its lines."""

    name: str
    file: str
    line: int
    args: tuple[Token, ...]
    block: tuple[tuple[Token, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class ServerBlock:
    keys: tuple[str, ...]
    directives: tuple[Directive, ...]
