"""Parse tokens into server blocks, and insert imports and snippets.

It knows no directive by name: `service/directives.py` does.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass

from service.caddyfile import imports
from service.caddyfile.environment import Environment
from service.caddyfile.lexer import decode, tokenize
from service.caddyfile.occurrences import occurrences
from service.caddyfile.tokens import Directive, ServerBlock, Token, same_line, starts_line
from service.errors import CaddyfileError

MOST_SNIPPET_IMPORTS = 10_000
MOST_FILE_IMPORTS = 100_000
MOST_IMPORTED_TOKENS = 200_000
MOST_NESTED_IMPORTS = 500

_log = logging.getLogger(__name__)


def parse(
    text: str, file: str = "Caddyfile", *, environment: Mapping[str, str]
) -> tuple[ServerBlock, ...]:
    """Parse a whole Caddyfile and the files that it imports, which are relative to `file`."""
    return _Parser(text, file, environment).parse()


@dataclass(frozen=True, slots=True)
class _Frame:
    """An import under way: the imports that led to it, and how many tokens follow its last one."""

    chain: tuple[str, ...]
    rest: int


class _Parser:
    """`_seen` ends with the current token; `_ahead` holds the rest in reverse order."""

    def __init__(self, text: str, file: str, environment: Mapping[str, str]) -> None:
        self._file = file
        self._environment = Environment(environment)
        self._seen: list[Token] = []
        self._ahead = list(tokenize(text, file))[::-1]
        self._snippets: dict[str, list[Token]] = {}
        self._files: dict[str, list[Token]] = {}
        self._frames = [_Frame((os.path.abspath(file),), 0)]
        self._snippet_imports = self._file_imports = self._imported_tokens = 0

    def parse(self) -> tuple[ServerBlock, ...]:
        blocks = []
        while self._next():
            block = self._block()
            if block is not None:
                blocks.append(block)
        return tuple(blocks)

    def _block(self) -> ServerBlock | None:
        keys, at_end = self._addresses()
        if at_end:
            return _server_block(keys, []) if keys else None
        if len(keys) == 1 and keys[0].text.startswith("(") and keys[0].text.endswith(")"):
            self._define_snippet(keys[0].text[1:-1])
            return None
        braces = self._text == "{"
        if not braces:
            self._back()
        directives = self._directives()
        if braces and self._text != "}":
            raise self._unexpected("}")
        return _server_block(keys, directives) if keys else None

    def _addresses(self) -> tuple[list[Token], bool]:
        """Return the keys, and whether the file ended with them."""
        keys: list[Token] = []
        expecting_another = False
        while True:
            text = self._environment.expand(self._seen[-1])
            if text == "import" and self._starts_line():
                place = self._seen[-1]
                self._import()
                if self._next():
                    continue
                if expecting_another:
                    raise self._error("Unexpected EOF", place)
                return keys, True
            if text == "{":
                if expecting_another:
                    raise self._error(
                        "Expected another address but had '{' - check for extra comma"
                    )
                return keys, False
            if text:
                expecting_another = text.endswith(",")
                token = self._seen[-1]
                keys.append(Token(text[:-1] if expecting_another else text, token.file, token.line))
            if not self._next():
                if expecting_another:
                    raise self._error("Unexpected EOF")
                return keys, True
            if not expecting_another and self._starts_line():
                return keys, False

    def _directives(self) -> list[tuple[str, list[Token]]]:
        directives = []
        while self._next() and self._text != "}":
            if self._text == "import":
                self._import()
            else:
                directives.append(self._directive())
        return directives

    def _directive(self) -> tuple[str, list[Token]]:
        name = self._environment.expand(self._seen[-1])
        tokens = [self._seen[-1]]
        nesting = 0
        while self._next():
            if self._text == "{":
                nesting += 1
            elif self._starts_line() and nesting == 0:
                self._back()
                break
            elif self._text == "}" and nesting > 0:
                nesting -= 1
            elif self._text == "}":
                raise self._error("Unexpected '}' because no matching opening brace")
            elif self._text == "import" and self._starts_line():
                self._import()
                continue
            token = self._seen[-1]
            if "{" in token.text:
                token = Token(self._environment.expand(token), token.file, token.line)
                self._seen[-1] = token
            tokens.append(token)
        if nesting > 0:
            raise self._error("Unexpected EOF")
        return name, tokens

    def _define_snippet(self, name: str) -> None:
        if name in self._snippets:
            raise self._error(f"redeclaration of previously declared snippet {name}")
        if self._text != "{":
            raise self._unexpected("{")
        tokens: list[Token] = []
        depth = 1
        while self._next():
            depth += {"{": 1, "}": -1}.get(self._text, 0)
            if depth == 0:
                self._snippets[name] = tokens
                return
            tokens.append(self._seen[-1])
        raise self._unexpected("}")

    def _import(self) -> None:
        """Replace the import by the imported tokens.

        The token before them becomes the current one.
        """
        if not self._next_on_line():
            raise self._error(
                f"Wrong argument count or unexpected line ending after '{self._text}'"
            )
        pattern = self._environment.expand(self._seen[-1])
        if not pattern:
            raise self._error("Import requires a non-empty filepath")
        if self._next_on_line():
            raise self._error("Import takes only one argument (glob pattern or file)")
        while self._frames[-1].rest > len(self._ahead):
            self._frames.pop()
        if pattern in self._snippets:
            sources = [(f"({pattern})", self._snippets[pattern])]
            self._snippet_imports += 1
        else:
            sources = [(path, self._read(path)) for path in self._glob(pattern)]
            self._file_imports += len(sources)
        self._splice(sources)

    def _splice(self, sources: list[tuple[str, list[Token]]]) -> None:
        chain = self._frames[-1].chain
        self._imported_tokens += sum(len(tokens) for _, tokens in sources)
        if (
            self._snippet_imports > MOST_SNIPPET_IMPORTS
            or self._file_imports > MOST_FILE_IMPORTS
            or self._imported_tokens > MOST_IMPORTED_TOKENS
            or len(chain) > MOST_NESTED_IMPORTS
        ):
            raise self._error("Too many imports")
        for name, _ in sources:
            if name in chain:
                cycle = " -> ".join((*chain[chain.index(name) :], name))
                raise self._error(f"Import cycle: {cycle}")
        del self._seen[-2:]
        for name, tokens in reversed(sources):
            self._frames.append(_Frame((*chain, name), len(self._ahead)))
            self._ahead.extend(reversed(tokens))

    def _glob(self, pattern: str) -> list[str]:
        directory = os.path.dirname(os.path.abspath(self._seen[-1].file))
        path = pattern if pattern.startswith("/") else os.path.normpath(f"{directory}/{pattern}")
        if imports.too_many_wildcards(path):
            raise self._error(
                f"Glob pattern may only contain one wildcard (*), but has others: {path}"
            )
        try:
            matches = imports.glob(path)
        except ValueError as error:
            raise self._error(f"Failed to use import pattern {pattern}: {error}") from error
        if not matches:
            if not any(character in path for character in "*?[]"):
                raise self._error(f"File to import not found: {pattern}")
            _log.warning("no files match the import pattern %s", pattern)
        return [os.path.abspath(match) for match in matches]

    def _read(self, path: str) -> list[Token]:
        if path not in self._files:
            try:
                raw = imports.read(path)
            except ValueError as error:
                raise self._error(str(error)) from error
            self._files[path] = list(tokenize(decode(raw), path))
        return self._files[path]

    @property
    def _text(self) -> str:
        return self._seen[-1].text if self._seen else ""

    def _starts_line(self) -> bool:
        return starts_line(self._seen[-1], self._seen[-2] if len(self._seen) > 1 else None)

    def _next(self) -> bool:
        if not self._ahead:
            return False
        self._seen.append(self._ahead.pop())
        return True

    def _next_on_line(self) -> bool:
        return bool(self._ahead) and same_line(self._seen[-1], self._ahead[-1]) and self._next()

    def _back(self) -> None:
        self._ahead.append(self._seen.pop())

    def _error(self, message: str, place: Token | None = None) -> CaddyfileError:
        place = place or self._place()
        message = f"Error during parsing: {message}"
        return CaddyfileError(message, file=place.file, line=place.line)

    def _unexpected(self, expected: str) -> CaddyfileError:
        message = f"Syntax error: Unexpected token '{self._text}', expecting '{expected}'"
        place = self._place()
        return CaddyfileError(message, file=place.file, line=place.line)

    def _place(self) -> Token:
        return self._seen[-1] if self._seen else Token("", self._file, 0)


def _server_block(keys: list[Token], contents: list[tuple[str, list[Token]]]) -> ServerBlock:
    directives: list[Directive] = []
    by_name: dict[str, list[Token]] = {}
    for name, tokens in contents:
        directives.extend(occurrences(name, tokens))
        by_name.setdefault(name, []).extend(tokens)
    return ServerBlock(
        keys=tuple(key.text for key in keys),
        directives=tuple(directives),
        addresses=tuple(keys),
        tokens={name: tuple(tokens) for name, tokens in by_name.items()},
    )
