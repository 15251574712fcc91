"""The commands of a hint, as a person would paste them, parsed by the real command line."""

import re
import shlex
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import typer

from opsctl.cli import COMMANDS
from opsctl.cli.options import Invocation

# A command ends where the sentence goes on, or where a shell's bracket or quote closes.
_COMMAND = re.compile(r"\bopsctl ((?:--?[a-z]|[a-z][a-z-]*(?![\w.]))(?:'[^']*'|[^;,()\"'`·])*)")
# These words stand in the place of something that a person knows.
_PLACEHOLDERS = {"REF": "v1", "TAG": "v1", "FILE": "file", "NAME": "name", "STACK": "web-ecs"}
OF_NO_SYSTEM = ("sandbox", "rehearse", "completion")


class DoesNotParse(Exception):
    pass


def commands(text: str) -> list[list[str]]:
    """Every `opsctl …` of the text, as words."""
    return [shlex.split(match[1].strip().rstrip(".:")) for match in _COMMAND.finditer(text)]


def parse(words: Sequence[str], environ: Mapping[str, str]) -> Invocation:
    """What the command line is about. Raises DoesNotParse for one that would be refused."""
    given = [_PLACEHOLDERS.get(word, word) for word in words]
    invocation, rest = Invocation.parse(given, environ)
    if rest in ([], ["--help"]):
        return invocation
    name, *arguments = rest
    if name not in COMMANDS:
        raise DoesNotParse(f"there is no command `{name}`: opsctl {shlex.join(words)}")
    module = import_module(f"opsctl.cli.{name.replace('-', '_')}")
    command = typer.main.get_command(module.app)
    path = f"opsctl {name}"
    try:
        while True:
            context = command.make_context(path, list(arguments), obj=invocation)
            if not hasattr(command, "resolve_command") or not context._protected_args:
                return invocation
            left = [*context._protected_args, *context.args]
            _, command, arguments = command.resolve_command(context, left)
            path = f"{path} {command.name}"
    except typer.Exit:
        return invocation  # --help
    except typer.TyperException as error:
        raise DoesNotParse(f"opsctl {shlex.join(words)}: {error.format_message()}") from error


def require_same_system(
    text: str, line: Sequence[str], environ: Mapping[str, str], cwd: Path
) -> None:
    """Each command that `text` hints at parses, and means the system of the command line."""
    mine, _ = Invocation.parse(line, environ)
    for words in commands(text):
        # In the shell of whoever pastes it, the variables are still those.
        theirs = parse(words, environ)
        if words and words[0] in OF_NO_SYSTEM:
            continue
        here = (cwd / mine.path, mine.environment, mine.overrides)
        there = (cwd / theirs.path, theirs.environment, theirs.overrides)
        assert here == there, f"`opsctl {shlex.join(words)}` of `{shlex.join(line)}`: {text}"
