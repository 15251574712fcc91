"""Parse YAML text into plain values with their places, by YAML 1.2's core schema.

`no` is text, a duplicate key is an error, and a number remembers how it was written.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from opsctl import disk
from opsctl.errors import ConfigError
from opsctl.plural import counted

Path = tuple[str | int, ...]

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_NODES = 10_000  # aliases can make a small file huge
_SIZE, _DEPTH = 1_000_000, 32  # characters; the config itself has five levels
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,4000}")  # Python itself refuses longer ones
_OCTAL = re.compile(r"0o[0-7]{1,4000}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,3000}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)")
_TAGS = (None, "", "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")))


class _Written:
    text: str


class WrittenInt(int, _Written):
    pass


class WrittenFloat(float, _Written):
    pass


def written(value: object) -> object:
    """Return a number as it was written, for a key that expects text; anything else unchanged."""
    return value.text if isinstance(value, _Written) else value


@dataclass(frozen=True, slots=True)
class Document:
    """`keys` and `values` map paths to the places (`FILE:LINE:COLUMN`) of keys and values."""

    data: dict[str, Any]
    keys: Mapping[Path, str]
    values: Mapping[Path, str]


def read(path: FilePath) -> Document:
    """Read and parse a file.

    Raises ConfigError for one that is missing, unreadable, invalid, empty or not a mapping.
    """
    try:
        content = disk.read(path, _SIZE + 1)
    except FileNotFoundError:
        raise ConfigError(f"there is no `{path}`", hint=_elsewhere(path)) from None
    except OSError as error:
        raise ConfigError(
            f"`{path}` cannot be read: {error.strerror}", hint="name another with --config FILE"
        ) from error
    if len(content) > _SIZE:
        raise _broken(path.name, [f"{path} is too long: more than {_SIZE:,} bytes"])
    try:
        return parse(content.decode("utf-8-sig"), path.name)
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise ConfigError(
            f"{path}:{line}:{column} is not UTF-8", hint="save the file as UTF-8"
        ) from None


def _elsewhere(path: FilePath) -> str:
    """Suggest what was probably meant: the other spelling, or the config of a parent directory."""
    near = path.with_suffix(".yml" if path.suffix == ".yaml" else ".yaml")
    above = (
        [folder / path.name for folder in FilePath.cwd().parents] if len(path.parts) == 1 else []
    )
    for one in (near, *above):
        if one.is_file():
            return f"there is another: --config {shlex.quote(str(one))}"
    return "for a new system: opsctl init; for another file: --config FILE"


def parse(text: str, file: str) -> Document:
    try:
        root = _compose(text, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _place(file, mark) if mark else file
        # Never the error's own text: its snippet of the file may hold a secret.
        raise _broken(file, [f"{place} is not YAML: {error.problem or error.context}"]) from None
    except yaml.YAMLError as error:
        raise _broken(file, [_unreadable(text, file, error)]) from None
    if root is None:
        raise ConfigError(f"`{file}` is empty", hint="remove it, then run: opsctl init")
    reader = _Reader(file)
    data = reader.read(root, ())
    if not isinstance(data, dict) and not reader.findings:
        reader.findings.append(f"{_place(file, root.start_mark)} expected a mapping of sections")
    if reader.findings:
        raise _broken(file, reader.findings)
    return Document(data, reader.keys, reader.values)


# Source: https://yaml.org/spec/1.2.2/#51-character-set
_ODD = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _unreadable(text: str, file: str, error: Exception) -> str:
    """Say which character YAML does not allow: libyaml itself tells neither it nor its line."""
    if odd := _ODD.search(text):
        at = odd.start()
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        return f"{file}:{line}:{column} YAML does not allow the character U+{ord(odd[0]):04X}"
    return f"{file} is not YAML: {type(error).__name__}"


def value(text: str) -> Any:
    """Parse one value on one line, for `--set`. Raises yaml.YAMLError or ConfigError."""
    node = _compose(text, "the value")
    return None if node is None else _Reader("the value").read(node, ())


def _compose(text: str, file: str) -> Any:
    """Return the tree of nodes. Checks the depth first: composing recurses without limit, in C."""
    if len(text) > _SIZE:
        raise _broken(file, [f"{file} is too long: {len(text):,} characters of {_SIZE:,}"])
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            place = _place(file, event.start_mark)
            raise _broken(file, [f"{place} is nested deeper than {_DEPTH} levels"])
    return yaml.compose(text, Loader=_LOADER)


def scalar(text: str) -> Any:
    """Parse a plain scalar by the core schema: null, booleans, numbers, else text."""
    if _NULL.fullmatch(text):
        return None
    if text in _BOOL:
        return _BOOL[text]
    number: WrittenInt | WrittenFloat
    if _INT.fullmatch(text):
        number = WrittenInt(text)
    elif _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        number = WrittenInt(text, 0)
    elif _FLOAT.fullmatch(text):
        number = WrittenFloat(text.replace(".inf", "inf").replace(".Inf", "inf"))
    else:
        return text
    number.text = text
    return number


def _broken(file: str, findings: list[str]) -> ConfigError:
    count = counted(len(findings), "error")
    return ConfigError(
        f"`{file}` cannot be read: {count}",
        hint="fix it, then run: opsctl config check",
        findings=findings,
    )


def _place(file: str, mark: Any) -> str:
    return f"{file}:{mark.line + 1}:{mark.column + 1}"


@dataclass(slots=True)
class _Reader:
    file: str
    keys: dict[Path, str] = field(default_factory=dict)
    values: dict[Path, str] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    _open: set[int] = field(default_factory=set)

    def read(self, node: Any, path: Path) -> Any:
        place = self.values[path] = _place(self.file, node.start_mark)
        if len(self.values) == _NODES or id(node) in self._open:
            self.findings.append(f"{place} aliases make this file endless")
        if len(self.values) >= _NODES or id(node) in self._open:
            return None
        if node.tag not in _TAGS:
            self.findings.append(f"{place} tag {node.tag}: tags are not allowed here")
            return None
        if isinstance(node, yaml.ScalarNode):
            plain = node.tag != "!" and node.style in (None, "")
            return scalar(node.value) if plain else node.value
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
            return {key: self.read(value, (*path, key)) for key, value in self._pairs(node, path)}
        finally:
            self._open.discard(id(node))

    def _pairs(self, node: Any, path: Path) -> Iterator[tuple[str, Any]]:
        seen: dict[str, str] = {}
        for key, value in node.value:
            place = _place(self.file, key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self.findings.append(f"{place} a key must be a word, not a list or a mapping")
            elif key.value in seen:
                where = ".".join(map(str, (*path, key.value)))
                self.findings.append(f"{place} {where}: written twice, first at {seen[key.value]}")
            else:
                seen[key.value] = place
                self.keys[(*path, key.value)] = place
                yield key.value, value
