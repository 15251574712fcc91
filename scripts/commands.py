"""The table of commands that completion reads, made from the commands themselves."""

import re
from enum import EnumType
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from opsctl import cli
from opsctl.config import schema
from opsctl.logs import message
from opsctl.metrics import catalogue

# The values of parameters that are plain text to the command line.
_CHOICES = {
    "metrics names": [*catalogue.GROUPS, "all"],
    "logs tail level": list(message.LEVELS),
    "sandbox up tasks": ["auto", "docker", "process", "none"],
}
# What the global options take; their texts are those of `opsctl --help`.
_GLOBAL = {"--config": "config", "--env": "environment", "--set": "setting"}
_LINE = re.compile(r"  ((?:-\w, )?--[\w-]+)(?: \S+)?  +(.+)")


def table() -> dict[str, Any]:
    """Commands with options and arguments, the global options, and the keys of the config."""
    return {
        "options": [_global(line) for line in cli.GLOBAL_OPTIONS.splitlines()],
        "commands": {name: _command(name, about) for name, about in cli.COMMANDS.items()},
        "keys": dict(_keys(schema.schema())),
    }


def _global(line: str) -> dict[str, Any]:
    match = _LINE.fullmatch(line)
    assert match, line
    names = match[1].split(", ")
    takes = _GLOBAL.get(names[-1], "")
    return _parameter(takes or names[-1], names, takes, [], match[2])


def _command(name: str, about: str) -> dict[str, Any]:
    module = import_module(f"opsctl.cli.{name.replace('-', '_')}")
    return {**_node(typer.main.get_command(module.app), name), "about": about}


def _node(command: Any, path: str) -> dict[str, Any]:
    node: dict[str, Any] = {
        "about": command.get_short_help_str(200),
        "options": [],
        "arguments": [],
    }
    for parameter in command.params:
        if parameter.hidden:
            continue
        if parameter.param_type_name == "argument":
            node["arguments"].append({**_read(parameter, path), "many": parameter.nargs == -1})
        else:
            node["options"].append(_read(parameter, path))
    if commands := getattr(command, "commands", {}):
        node["commands"] = {name: _node(one, f"{path} {name}") for name, one in commands.items()}
    return node


def _read(parameter: Any, path: str) -> dict[str, Any]:
    kind = parameter.type_descriptor.annotation
    choices = _CHOICES.get(f"{path} {parameter.name}", [])
    if isinstance(kind, EnumType):
        choices = [str(one.value) for one in kind]
    if not choices and "|" in (parameter.metavar or ""):
        choices = re.findall(r"[\w-]+", parameter.metavar)
    takes = "" if getattr(parameter, "is_flag", False) else "text"
    if isinstance(kind, type) and issubclass(kind, Path):
        takes = "file"
    names = [name for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("-")]
    return _parameter(parameter.name, names, takes, choices, getattr(parameter, "help", "") or "")


def _parameter(
    name: str, names: list[str], takes: str, choices: list[str], about: str
) -> dict[str, Any]:
    return {"name": name, "names": names, "takes": takes, "choices": choices, "about": about}


def _keys(described: dict[str, Any]) -> Any:
    """Each key that `--set` takes, with its values where the schema lists them."""
    yield from _within(described, described["$defs"], "")


def _within(node: dict[str, Any], definitions: dict[str, Any], path: str) -> Any:
    for name, one in node["properties"].items():
        if name == "environments":
            continue
        here = f"{path}{name}"
        sections = [definitions[option["$ref"].rpartition("/")[2]]
                    for option in (one, *one.get("anyOf", ())) if "$ref" in option]  # fmt: skip
        objects = [section for section in sections if "properties" in section]
        if objects and "anyOf" not in one:
            yield from _within(objects[0], definitions, f"{here}.")
            continue
        values = ["true", "false"] if one.get("type") == "boolean" else one.get("enum", [])
        yield here, [str(value) for value in values]
