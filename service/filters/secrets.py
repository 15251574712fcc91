"""`secrets FILE`: values of a YAML file, in order, for the other filters of the site.

They are in `site.secrets` only. Nothing here puts a value into an error, a log or a repr.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from service.caddyfile import Directive
from service.chain import Filter, Site
from service.errors import CaddyfileError, StartError

REFERENCES = ("ssm:", "secretsmanager:")
ENVIRONMENT = "env:"  # for runs on a developer's machine


@dataclass(frozen=True, slots=True)
class Options:
    file: Path


class Secrets(Mapping[str, Any]):
    """The file's mapping in its order. It shows its keys but never its values."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(f'{key}=***' for key in self._values)})"


def parse(directive: Directive) -> Options:
    """Parse the directive. As in v1, a relative FILE is relative to the working directory."""
    if len(directive.args) != 1:
        raise CaddyfileError(
            f"secrets takes one argument, the YAML file, but got {len(directive.args)}",
            file=directive.file,
            line=directive.line,
        )
    if directive.block is not None:
        raise CaddyfileError("secrets takes no block", file=directive.file, line=directive.line)
    return Options(Path(directive.args[0].text))


def build(
    options: tuple[Options, ...], site: Site, resolve: Callable[[str], str] | None = None
) -> Filter | None:
    (one,) = options
    site.secrets = load(one.file, resolve or _resolve)
    return None


def load(file: Path, resolve: Callable[[str], str]) -> Secrets:
    """Read FILE and replace each reference by its value, which is read once per reference."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise StartError(f"secrets file {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StartError(f"secrets file {file} is not UTF-8") from None
    try:
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        # PyYAML quotes the faulty line, which may be a secret: keep only its place.
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise StartError(f"secrets file {file}{where} is not YAML") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise StartError(f"secrets file {file} is not YAML") from None
    if not isinstance(document, dict):
        raise StartError(f"secrets file {file} has to be a mapping of names to values")
    values = _resolved(document, resolve, {})
    assert isinstance(values, Secrets)
    return values


def _resolved(value: Any, resolve: Callable[[str], str], known: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return Secrets({str(key): _resolved(one, resolve, known) for key, one in value.items()})
    if isinstance(value, list):
        return [_resolved(one, resolve, known) for one in value]
    if isinstance(value, str) and value.startswith(REFERENCES):
        if value not in known:
            known[value] = resolve(value)
        return known[value]
    if isinstance(value, str) and value.startswith(ENVIRONMENT):
        return _variable(value.removeprefix(ENVIRONMENT))
    return value


def _variable(name: str) -> str:
    if name not in os.environ:
        raise StartError(f"secrets: the variable {name} of the environment is not set")
    if not os.environ[name]:
        raise StartError(f"secrets: the variable {name} of the environment is there but empty")
    return os.environ[name]


def _resolve(reference: str) -> str:
    from service.trust import aws  # boto3 takes 15 MB: import it only for a file with references

    return aws.resolve(reference)
