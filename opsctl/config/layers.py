"""Where values come from: file, overlay, environment, flags, merged in that order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from opsctl.config import document
from opsctl.config.document import Document, Path
from opsctl.errors import ConfigError

Kind = Literal["default", "derived", "file", "overlay", "environment", "flag"]
VARIABLE = "OPSCTL_SET"
_EXAMPLES = {VARIABLE: f"export {VARIABLE}='db.node_type=cache.t4g.small; db.port=6380'"}


@dataclass(frozen=True, slots=True)
class Origin:
    kind: Kind
    place: str = ""

    def __str__(self) -> str:
        return f"{self.place} ({self.kind})" if self.place else self.kind


@dataclass(frozen=True, slots=True)
class Layer:
    kind: Kind
    data: Mapping[str, Any]
    keys: Mapping[Path, str] = field(default_factory=dict)
    values: Mapping[Path, str] = field(default_factory=dict)


def base(file: Document) -> Layer:
    data = {key: value for key, value in file.data.items() if key != "environments"}
    return Layer("file", data, file.keys, file.values)


def overlay(file: Document, environment: str) -> Layer:
    """Return `environments.<environment>`. Raises ConfigError, which names the existing ones."""
    overlays = file.data.get("environments")
    overlays = overlays if isinstance(overlays, dict) else {}
    if environment not in overlays:
        known = ", ".join(overlays) or "none"
        raise ConfigError(
            f"there is no environment `{environment}` (there are: {known})",
            hint=f"add `environments.{environment}` or choose with --env",
        )
    prefix = ("environments", environment)
    data = overlays[environment]
    return Layer(
        "overlay",
        data if isinstance(data, dict) else {},
        _within(file.keys, prefix),
        _within(file.values, prefix),
    )


def settings(entries: Sequence[str], kind: Kind, source: str) -> list[Layer]:
    """Return a layer for each `key.path=value`.

    The value is YAML on one line (`[a, b]` is a list).
    """
    return [_setting(entry.strip(), kind, source) for entry in entries if entry.strip()]


def from_environment(environ: Mapping[str, str]) -> list[Layer]:
    """Return layers of `OPSCTL_SET='db.node_type=cache.t4g.small; ecs.cpu=256'`."""
    return settings(environ.get(VARIABLE, "").split(";"), "environment", VARIABLE)


def merge(layers: Sequence[Layer]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge(merged, layer.data)
    return merged


def place(layers: Sequence[Layer], path: Path) -> str:
    """Return the place to show: the value's, else the key's, else the nearest parent's."""
    for length in range(len(path), 0, -1):
        for layer in reversed(layers):
            for places in (layer.values, layer.keys):
                if (origin := places.get(path[:length])) is not None:
                    return origin
    return layers[0].values.get((), "")


def key_place(layers: Sequence[Layer], path: Path) -> str:
    """Return the place of the key or of what is set below it:

    `--set` has no line for the parents.
    """
    origins = (
        at
        for layer in reversed(layers)
        for key, at in layer.keys.items()
        if key[: len(path)] == path
    )
    return next(origins, None) or place(layers, path)


def origin(layers: Sequence[Layer], path: Path) -> Origin:
    for layer in reversed(layers):
        if path in layer.keys:
            return Origin(layer.kind, layer.keys[path])
    return Origin("default")


def _setting(entry: str, kind: Kind, source: str) -> Layer:
    name, equals, text = entry.partition("=")
    pieces: Path = tuple(name.strip().split("."))
    if not equals or not all(pieces) or pieces[0] in ("environment", "environments"):
        raise ConfigError(
            f"`{source}` wants key.path=value",
            hint=_EXAMPLES.get(source, f"{source} db.node_type=cache.t4g.small"),
        )
    try:
        value = document.value(text)
    except yaml.YAMLError:
        raise ConfigError(f"`{source} {name.strip()}`: the value is not YAML") from None
    data: Any = value
    for piece in reversed(pieces):
        data = {piece: data}
    return Layer(kind, data, {pieces: source}, {pieces: source})


def _within(places: Mapping[Path, str], prefix: Path) -> dict[Path, str]:
    length = len(prefix)
    return {path[length:]: at for path, at in places.items() if path[:length] == prefix}


def _merge(into: dict[str, Any], data: Mapping[str, Any]) -> None:
    for key, value in data.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif isinstance(value, dict):
            into[key] = {}
            _merge(into[key], value)
        else:
            into[key] = value
