"""Shell completion: the whole tree of commands, built only when a shell asks for it."""

from importlib import import_module

import typer


def complete() -> int:
    from opsctl.cli import COMMANDS

    root = typer.Typer(add_completion=False, rich_markup_mode=None)
    for name, about in COMMANDS.items():
        module = import_module(f"opsctl.cli.{name.replace('-', '_')}")
        root.add_typer(module.app, name=name, help=about)
    typer.main.get_command(root).main(args=[], prog_name="opsctl", standalone_mode=False)
    return 0
