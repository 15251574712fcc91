#!/usr/bin/env python3
"""Write what is made from the code: docs/cli.md, the JSON Schema, completion's table, pictures.

`--check` only says whether they agree.
"""

import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from opsctl import cli  # noqa: E402
from opsctl.cli import complete  # noqa: E402
from opsctl.config import schema  # noqa: E402
from scripts import commands, instance_types, permissions, pictures, schemas  # noqa: E402


def helped(words: list[str]) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        cli.main([*words, "--help"])
    return out.getvalue().rstrip()


def subcommands(name: str) -> list[str]:
    """The names under a group, in the order its help gives them."""
    from importlib import import_module

    import typer

    command = typer.main.get_command(import_module(f"opsctl.cli.{name.replace('-', '_')}").app)
    return list(getattr(command, "commands", {}))


def reference() -> str:
    parts = ["# Commands\n\nMade from `--help` by `make docs`.\n", block("opsctl", helped([]))]
    for name in cli.COMMANDS:
        parts.append(block(f"opsctl {name}", helped([name])))
        parts += [
            block(f"opsctl {name} {word}", helped([name, word])) for word in subcommands(name)
        ]
    return "\n".join(parts)


def block(title: str, text: str) -> str:
    return f"## `{title}`\n\n```text\n{text}\n```\n"


def generated() -> dict[Path, str]:
    return {
        ROOT / "docs" / "cli.md": reference(),
        instance_types.FILE: instance_types.text(),
        permissions.FILE: permissions.text(),
        schemas.FILE: schemas.text(),
        **pictures.pictures(),
        complete.TABLE: json.dumps(commands.table(), indent=1) + "\n",
        ROOT / "docs" / "opsctl.schema.json": json.dumps(schema.schema(), indent=2) + "\n",
    }


def main() -> int:
    made = generated()
    stale = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: make docs\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(made[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
