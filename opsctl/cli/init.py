"""`opsctl init`: write a directory that works at once."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from opsctl import scaffold
from opsctl.cli import choose
from opsctl.cli.options import group, opened
from opsctl.cli.screens import scaffold as screens
from opsctl.errors import ConfigError
from opsctl.scaffold import Choices

app = group("Write the directory of a new system.")


@app.command()
def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Created if needed.")] = Path("."),
    name: Annotated[
        str | None, Option(metavar="NAME", help="The system's name; default: the directory's.")
    ] = None,
    account: Annotated[
        bool | None,
        Option("--account/--sandbox", help="For your credentials' account, or for a sandbox."),
    ] = None,
    vpc: Annotated[
        str | None, Option(metavar="ID", help="With --account; else the default VPC.")
    ] = None,
    subnet: Annotated[
        list[str] | None,
        Option(metavar="ID", help="With --account, one for each; else one of each zone."),
    ] = None,
) -> None:
    """Write opsctl.yaml, Caddyfile_template, Dockerfile and the service; overwrite nothing.

    A terminal is asked what cannot be known. A pipe gets a system of the sandbox, unless --account.
    """
    console = opened(context).console
    choices = Choices(choose.name(console, folder, name))
    if account or (account is None and console.interactive):
        choices = choose.account(console, choices, vpc, subnet or [], ask=account is None)
    elif vpc or subnet:
        raise ConfigError(
            "--vpc and --subnet are for a system of your account; the sandbox has its own",
            hint=f"{opened(context).line} --account",
        )
    screens.show_written(console, folder, list(scaffold.write(folder, scaffold.files(choices))))
    screens.show_next(console, folder, choices)
