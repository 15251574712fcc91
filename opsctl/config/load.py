"""Load `opsctl.yaml`: merge layers, derive names, report all errors at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from opsctl.config import document, findings, layers, limits, names
from opsctl.config.document import Document, Path
from opsctl.config.layers import Layer, Origin
from opsctl.config.model import Config
from opsctl.errors import ConfigError
from opsctl.plural import counted


@dataclass(frozen=True, slots=True)
class Loaded:
    """`origins` has one entry per leaf, such as `db.node_type`; `warnings` are sentences."""

    config: Config
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...] = ()


def load(
    path: FilePath,
    *,
    environment: str | None,
    environ: Mapping[str, str],
    overrides: Sequence[str] = (),
) -> Loaded:
    """Read, merge and check one config. `overrides` are `key.path=value`, as in `--set`.

    Raises ConfigError with every finding, each beginning with `FILE:LINE:COLUMN key.path`.
    """
    return link(document.read(path), environment=environment, environ=environ, overrides=overrides)


def environments(file: Document) -> tuple[str, ...]:
    """Return the names under `environments`, in the file's order."""
    overlays = file.data.get("environments")
    return tuple(overlays) if isinstance(overlays, dict) else ()


def link(
    file: Document,
    *,
    environment: str | None,
    environ: Mapping[str, str],
    overrides: Sequence[str] = (),
) -> Loaded:
    """Do what `load` does once the file is parsed."""
    stack = [layers.base(file)]
    if environment is not None:
        stack.append(layers.overlay(file, environment))
    stack += layers.from_environment(environ)
    stack += layers.settings(overrides, "flag", "--set")
    data = layers.merge(stack)
    errors = _structure(file) | _reserved(data)
    derived = names.derive(data, environment)
    config, refused = _validate({**data, "environment": environment})
    errors |= refused | _names(data, set(refused) | (derived if ("name",) in refused else set()))
    if config is None or errors:
        raise _refused(stack, errors)
    checked = limits.check(config)
    warnings = tuple(
        _line(stack, finding.path, finding.text) for finding in checked if not finding.refuses
    )
    if refusals := {finding.path: finding.text for finding in checked if finding.refuses}:
        causes = [finding.cause for finding in checked if finding.refuses]
        raise _refused(stack, refusals, warnings, cause=causes[0])
    return Loaded(config, _origins(config, stack, derived), warnings)


def leaves(section: BaseModel, path: Path = ()) -> list[tuple[Path, Any]]:
    """Return (path, value) of every leaf. Lists are values; free mappings are not."""
    values: list[tuple[Path, Any]] = []
    for name in type(section).model_fields:
        value, here = getattr(section, name), (*path, name)
        if isinstance(value, BaseModel):
            values += leaves(value, here)
        elif isinstance(value, dict) and value:
            values += [((*here, key), value[key]) for key in value]
        else:
            values.append((here, value))
    return values


def dotted(path: Path) -> str:
    return ".".join(map(str, path))


def _validate(data: Mapping[str, Any]) -> tuple[Config | None, dict[Path, str]]:
    try:
        return Config.model_validate(data), {}
    except ValidationError as error:
        return None, findings.sentences(error.errors(include_url=False), data, Config)


def _structure(file: Document) -> dict[Path, str]:
    """Check `environments` itself, the only section that is not in the model."""
    overlays = file.data.get("environments", {})
    if not isinstance(overlays, dict):
        return {("environments",): "allowed: a mapping of environment names to sections"}
    errors: dict[Path, str] = {}
    for name, overlay in overlays.items():
        if not names.ENVIRONMENT.fullmatch(name):
            errors[("environments", name)] = f"allowed: {names.ENVIRONMENT_WORDS}"
        elif not isinstance(overlay, dict):
            errors[("environments", name)] = "allowed: a mapping of sections"
    return errors


def _reserved(data: dict[str, Any]) -> dict[Path, str]:
    if data.pop("environment", None) is None:
        return {}
    return {("environment",): "is chosen by --env or OPSCTL_ENV, never written in the file"}


def _names(data: Mapping[str, Any], refused: set[Path]) -> dict[Path, str]:
    section = data.get("db")
    group = isinstance(section, dict) and section.get("kind") == "replication_group"
    errors: dict[Path, str] = {}
    for path in [path for path in names.LIMITS if path not in refused]:
        value: Any = data
        for piece in path:
            value = value.get(piece) if isinstance(value, Mapping) else None
        if isinstance(value, str) and (why := names.refused(path, value, replication_group=group)):
            errors[path] = why
    return errors


def _refused(
    stack: Sequence[Layer],
    errors: Mapping[Path, str],
    warnings: Sequence[str] = (),
    *,
    cause: str = "",
) -> ConfigError:
    """Return the error. Warnings are listed, too, and counted separately."""
    lines = sorted((_line(stack, path, text) for path, text in errors.items()), key=_file_order)
    count = counted(len(lines), "error")
    if warnings:
        count += f", {counted(len(warnings), 'warning')}"
    # The same --set would be refused again.
    given = any(line.startswith("--set ") for line in lines)
    fix = "correct the --set" if given else "fix it, then run: opsctl config check"
    return ConfigError(
        f"the config has {count}",
        hint=f"{fix}; every key and what it allows: opsctl config schema",
        cause=cause,
        findings=[*lines, *(f"warning: {warning}" for warning in warnings)],
    )


def _line(stack: Sequence[Layer], path: Path, text: str) -> str:
    at = layers.key_place if text.startswith("unknown key") else layers.place
    return f"{at(stack, path)} {dotted(path)}: {text}"


def _file_order(line: str) -> tuple[list[int], str]:
    place = line.split(" ", 1)[0].split(":")[1:]
    return [int(number) for number in place if number.isdigit()], line


def _origins(config: Config, stack: Sequence[Layer], derived: set[Path]) -> dict[str, Origin]:
    return {
        dotted(path): Origin("derived") if path in derived else layers.origin(stack, path)
        for path, _ in leaves(config)
        if path != ("environment",)
    }
