"""Write server blocks as JSON in Caddy v1's shape: keys, and a body of lines and blocks."""

import json
from collections.abc import Iterable, Sequence

from service.caddyfile import ServerBlock, Token
from service.caddyfile.lexer import replace_surrogates
from service.caddyfile.tokens import same_line

# A line consists of words and blocks, a block of lines.
Line = list["str | list[Line]"]

_ESCAPES = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def adapt(blocks: Sequence[ServerBlock]) -> str:
    """Return exactly the bytes of v1's ToJSON, including `null` for no blocks."""
    if not blocks:
        return "null"
    return f"[{','.join(_encode_block(block) for block in blocks)}]"


def _encode_block(block: ServerBlock) -> str:
    # v1 sorts the directives in a list that starts with one empty name per directive, so a
    # directive with an empty name is written that many times more.
    names = sorted([""] * len(block.tokens) + list(block.tokens))
    body = [line for name in names for line in lines(block.tokens.get(name, ()))]
    return f'{{"keys":{_encode(block.keys)},"body":{_encode(body)}}}'


def lines(tokens: Iterable[Token]) -> list[Line]:
    """Group the tokens of a directive into lines. A `{` opens a block except at a line's start."""
    top: list[Line] = []
    open_blocks: list[tuple[list[Line], Line]] = []
    block = top
    line: Line | None = None
    previous: Token | None = None
    for token in tokens:
        continues = line is not None and previous is not None and same_line(previous, token)
        if line is not None and continues:
            if token.text == "{":
                open_blocks.append((block, line))
                block = []
                open_blocks[-1][1].append(block)
                line = None
            else:
                line.append(token.text)
        elif token.text == "}" and open_blocks:
            block, line = open_blocks.pop()
        else:
            line = [token.text]
            block.append(line)
        previous = token
    return top


def _encode(value: Sequence[object]) -> str:
    """Encode without recursion, because blocks may be nested more deeply than Python's stack."""
    pieces = ["["]
    unfinished = [iter(value)]
    while unfinished:
        for item in unfinished[-1]:
            if pieces[-1] != "[":
                pieces.append(",")
            if isinstance(item, list):
                pieces.append("[")
                unfinished.append(iter(item))
                break
            text = json.dumps(replace_surrogates(str(item)), ensure_ascii=False)
            pieces.append(text.translate(_ESCAPES))
        else:
            unfinished.pop()
            pieces.append("]")
    return "".join(pieces)
