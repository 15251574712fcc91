"""What `init` wrote on the screen, and the commands that come next."""

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from opsctl.cli.screens.console import Console
from opsctl.scaffold import Choices, Written

_SANDBOX = ["opsctl sandbox up", 'eval "$(opsctl sandbox env)"']
_STACKS = ["opsctl db up", "opsctl ecs up", "opsctl update-tasks"]


def show_written(console: Console, folder: Path, written: Sequence[Written]) -> None:
    """Print a line for each file, and one for each folder."""
    for file in written:
        console.emit("written", path=str(file.path), kept=file.kept)
    lines = Counter[tuple[str, str]]()
    for file in written:
        top, *rest = file.path.relative_to(folder).parts
        word = "kept, as it was there:" if file.kept else "wrote"
        lines[word, f"{top}/" if rest else top] += 1
    for (word, name), count in lines.items():
        console.say(
            f"{word} {folder / name}{'/' * name.endswith('/')}{f' ({count} files)' * (count > 1)}"
        )


def show_next(console: Console, folder: Path, choices: Choices) -> None:
    steps = [*_SANDBOX, *_STACKS]
    if choices.account:
        steps = ["opsctl secrets set refresh_token", "opsctl doctor", *_STACKS]
    if folder != Path("."):
        steps.insert(0, shlex.join(["cd", *["--"] * str(folder).startswith("-"), str(folder)]))
    console.emit("init", folder=str(folder), name=choices.name, next=steps)
    if choices.account:
        config = folder / "opsctl.yaml"
        console.say(f"before the first release, set `caddyfile.variables.AUTH_URL` in {config}")
    console.say("next:\n" + "\n".join(f"  {step}" for step in steps))
