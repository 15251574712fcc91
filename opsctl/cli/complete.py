"""Complete a command line.

A shell calls this at every Tab, so it imports neither typer nor a command: `make docs` writes the
commands, their options and the keys of the config into a table.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opsctl.cli import live_names

# The exit code that tells the shell to complete file names.
FILES = 3
TABLE = Path(__file__).parent / "commands.json"


@dataclass(frozen=True, slots=True)
class Candidate:
    word: str
    about: str = ""


@dataclass(slots=True)
class Line:
    """A command line up to the word at the cursor, which is `current`.

    `path` is the command, `node` its part of the table, `arguments` how many it has already.
    `option` is the option whose value is completed, after `prefix` in the same word.
    """

    table: Mapping[str, Any]
    config: Path
    environment: str
    current: str = ""
    path: list[str] = field(default_factory=list)
    node: Mapping[str, Any] = field(default_factory=dict)
    arguments: int = 0
    option: Mapping[str, Any] | None = None
    prefix: str = ""

    def pass_by(self, word: str) -> None:
        """Parse a word before the cursor."""
        if self.option is not None:
            return self._take(word)
        name, equals, value = word.partition("=")
        self.option = self._option(name)
        if self.option is not None and equals:
            return self._take(value)
        if word in self.node.get("commands", {}):
            self.path.append(word)
            self.node = self.node["commands"][word]
        elif not word.startswith("-"):
            self.arguments += 1
        return None

    def end(self, word: str) -> None:
        """Parse the word at the cursor."""
        self.current = word
        name, equals, _ = word.partition("=")
        if self.option is None and equals and (option := self._option(name)):
            self.option, self.prefix = option, f"{name}="

    def options(self) -> Sequence[Mapping[str, Any]]:
        own = self.node.get("options", ()) if self.path else ()
        return [*own, *self.table["options"]]

    def _option(self, name: str) -> Mapping[str, Any] | None:
        """Return the option of this name, if it takes a value."""
        known = (one for one in self.options() if name in one["names"] and one["takes"])
        return next(known, None)

    def _take(self, value: str) -> None:
        assert self.option is not None
        if self.option["takes"] == "config":
            self.config = Path(value)
        elif self.option["takes"] == "environment":
            self.environment = value
        self.option = None


def complete(shell: str, words: Sequence[str], environ: Mapping[str, str]) -> tuple[list[str], int]:
    """Return the lines to print and the exit code: 0, or FILES when the shell should list files.

    `words` are those after `opsctl` up to the cursor; for bash one text, the whole line.
    """
    if shell == "bash":
        words = _split("".join(words))
    *before, current = words or [""]
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    config = Path(environ.get("OPSCTL_CONFIG") or "opsctl.yaml")
    line = Line(table, config, environ.get("OPSCTL_ENV", ""), node=table)
    for word in before:
        line.pass_by(word)
    line.end(current)
    candidates = _candidates(line, environ)
    if candidates is None:
        return [], FILES
    fitting = [one for one in candidates if one.word.startswith(current)]
    if shell == "bash":
        # bash replaces only what follows the last = or : of a word.
        cut = max(current.rfind("="), current.rfind(":")) + 1
        return [one.word[cut:] for one in fitting], 0
    return [f"{one.word}\t{one.about}" if one.about else one.word for one in fitting], 0


def command(words: Sequence[str]) -> list[str]:
    """Return the words of a command line that name its command: `logs`, `tail`."""
    return _command(words)[0]


def only_plans(words: Sequence[str]) -> bool:
    """Return whether this command line asks only what would change."""
    path, node = _command(words)
    takes = {name for option in node.get("options", ()) for name in option["names"]}
    return path[-1:] in (["plan"], ["diff"]) or "--dry-run" in takes & set(words)


def _command(words: Sequence[str]) -> tuple[list[str], Mapping[str, Any]]:
    node, path = json.loads(TABLE.read_text(encoding="utf-8")), []
    for word in words:
        if word in node.get("commands", {}):
            path.append(word)
            node = node["commands"][word]
    return path, node


def _split(line: str) -> list[str]:
    """Return the words after `opsctl`. The last one is the word at the cursor."""
    try:
        words = shlex.split(line)
    except ValueError:  # an open quote
        words = line.replace('"', " ").replace("'", " ").split()
    return [*words[1:], ""] if line[-1:].isspace() or len(words) < 2 else words[1:]


def _candidates(line: Line, environ: Mapping[str, str]) -> list[Candidate] | None:
    """Return the candidates, or None when the shell should list files."""
    if line.option is not None:
        return _values(line, line.option, environ)
    if line.current.startswith("-"):
        return [Candidate(name, one["about"]) for one in line.options() for name in one["names"]]
    if commands := line.node.get("commands", {}):
        return [Candidate(name, one["about"]) for name, one in commands.items()]
    arguments = line.node.get("arguments", ())
    if line.arguments < len(arguments):
        return _values(line, arguments[line.arguments], environ)
    many = bool(arguments) and arguments[-1]["many"]
    return _values(line, arguments[-1], environ) if many else []


def _values(
    line: Line, parameter: Mapping[str, Any], environ: Mapping[str, str]
) -> list[Candidate] | None:
    if parameter["takes"] in ("file", "config"):
        return None
    if parameter["takes"] == "setting":
        return list(_settings(line))
    if parameter["choices"]:
        return [Candidate(f"{line.prefix}{word}") for word in parameter["choices"]]
    command = [] if parameter["takes"] == "environment" else line.path
    names = live_names.of(
        " ".join([*command, parameter["name"]]),
        config=line.config,
        environment=line.environment,
        environ=environ,
    )
    return [Candidate(f"{line.prefix}{name}", about) for name, about in names]


def _settings(line: Line) -> Iterator[Candidate]:
    """Yield `key=` for every key of the config, then the values that the key may have."""
    key, equals, _ = line.current.removeprefix(line.prefix).partition("=")
    keys = line.table["keys"]
    if equals:
        yield from (Candidate(f"{line.prefix}{key}={value}") for value in keys.get(key, ()))
    else:
        yield from (Candidate(f"{line.prefix}{known}=") for known in keys)
