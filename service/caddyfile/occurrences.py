"""Split a directive's tokens into occurrences, each with arguments and its block's lines."""

from collections.abc import Iterator, Sequence

from service.caddyfile.tokens import Directive, Token, same_line


def occurrences(name: str, tokens: Sequence[Token]) -> Iterator[Directive]:
    """Read tokens as v1's plugins do.

    A block opens on the directive's own line and closes with a `}` that starts a line. Anything
    left after that is another occurrence, with any name; validation judges it later.
    """
    place = 0
    named: str | None = name
    while place < len(tokens):
        first = tokens[place]
        args, place = _rest_of_line(tokens, place, until_brace=True)
        block = None
        if place < len(tokens) and same_line(tokens[place - 1], tokens[place]):
            block, place = _block(tokens, place + 1)
        yield Directive(
            first.text if named is None else named, first.file, first.line, args[1:], block
        )
        named = None


def _rest_of_line(
    tokens: Sequence[Token], place: int, *, until_brace: bool = False
) -> tuple[tuple[Token, ...], int]:
    end = place + 1
    while end < len(tokens) and same_line(tokens[end - 1], tokens[end]):
        if until_brace and tokens[end].text == "{":
            break
        end += 1
    return tuple(tokens[place:end]), end


def _block(tokens: Sequence[Token], place: int) -> tuple[tuple[tuple[Token, ...], ...], int]:
    lines: list[tuple[Token, ...]] = []
    depth = 0
    while place < len(tokens):
        if tokens[place].text == "}":
            if depth == 0:
                return tuple(lines), place + 1
            depth -= 1
        line, place = _rest_of_line(tokens, place)
        depth += sum(token.text == "{" for token in line[1:])
        lines.append(line)
    return tuple(lines), place
