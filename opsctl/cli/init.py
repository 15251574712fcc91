"""`opsctl init`: write a directory that works at once."""

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from opsctl import disk, scaffold
from opsctl.cli import choose
from opsctl.cli.options import Invocation, group, opened
from opsctl.cli.screens.console import Console
from opsctl.config.names import NAME, NAME_LENGTH, NAME_WORDS
from opsctl.errors import ConfigError
from opsctl.scaffold import Choices, Written

app = group("Write the directory of a new system.")
_SANDBOX = ["opsctl sandbox up", 'eval "$(opsctl sandbox env)"']
_STACKS = ["opsctl db up", "opsctl ecs up", "opsctl update-tasks"]


@app.command()
def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Created if needed.")] = Path("."),
    name: Annotated[str | None, Option(help="The system's name; default: the directory's.")] = None,
    account: Annotated[
        bool | None,
        Option("--account/--sandbox", help="For your credentials' account, or for a sandbox."),
    ] = None,
    vpc: Annotated[str | None, Option(help="With --account; else the default VPC.")] = None,
    subnet: Annotated[
        list[str] | None, Option(help="With --account, one for each; else one of each zone.")
    ] = None,
) -> None:
    """Write opsctl.yaml, Caddyfile_template, Dockerfile and the service; overwrite nothing.

    A terminal is asked what cannot be known. A pipe gets a system of the sandbox, unless --account.
    """
    invocation, console = opened(context), opened(context).console
    name = _name(invocation, folder, name)
    choices = Choices(name)
    if account or (account is None and console.interactive):
        choices = _of_account(invocation, choices, vpc, subnet or [], required=account is None)
    written = list(scaffold.write(folder, scaffold.files(choices)))
    for file in written:
        console.emit("written", path=str(file.path), kept=file.kept)
    _show(console, folder, written)
    _next(invocation, folder, choices)


def _name(invocation: Invocation, folder: Path, name: str | None) -> str:
    if name is None:
        name = scaffold.system_name(disk.real(folder).name) or "example"
        if invocation.console.interactive:
            name = choose.text(invocation.console, "name of the system", default=name)
    # The repository has the same name, and ECR requires two letters.
    if not re.fullmatch(NAME, name) or not 2 <= len(name) <= NAME_LENGTH:
        raise ConfigError(
            f"`{name}` cannot be the name of a system", hint=f"allowed: two or more, {NAME_WORDS}"
        )
    return name


def _of_account(
    invocation: Invocation, choices: Choices, vpc: str | None, subnets: list[str], *, required: bool
) -> Choices:
    """Raise AwsError without credentials, if the account is required."""
    from opsctl import aws
    from opsctl.config.model import Aws
    from opsctl.snapshot import identity, network

    console = invocation.console
    try:
        clients = aws.connect(Aws())
        caller = identity.read(clients)
    except Exception as error:
        refusal = aws.translate(error)
        if refusal is None or not required:
            raise
        console.say(f"{refusal.message}, so this will be a system of the sandbox")
        return choices
    where = f"account {caller.account} in {caller.region}"
    if required and not choose.yes(
        console, f"for AWS {where}? (no: for a sandbox on this machine)"
    ):
        return choices
    known = network.read(clients.ec2)
    place = choose.place(console, known, where, vpc, subnets)
    facing = scaffold.facing(known, place)
    return Choices(
        choices.name,
        place[0].vpc,
        tuple(one.id for one in place),
        tuple(one.id for one in facing),
        caller.region,
        caller.account,
        known.key_pairs,
    )


def _show(console: Console, folder: Path, written: Sequence[Written]) -> None:
    """Print a line for each file, and one for each folder."""
    lines = Counter[tuple[str, str]]()
    for file in written:
        top, *rest = file.path.relative_to(folder).parts
        word = "kept, as it was there:" if file.kept else "wrote"
        lines[word, f"{top}/" if rest else top] += 1
    for (word, name), count in lines.items():
        console.say(
            f"{word} {folder / name}{'/' * name.endswith('/')}{f' ({count} files)' * (count > 1)}"
        )


def _next(invocation: Invocation, folder: Path, choices: Choices) -> None:
    steps = [*_SANDBOX, *_STACKS]
    if choices.account:
        steps = ["opsctl secrets set refresh_token", "opsctl doctor", *_STACKS]
    if folder != Path("."):
        steps.insert(0, shlex.join(["cd", *["--"] * str(folder).startswith("-"), str(folder)]))
    invocation.console.emit("init", folder=str(folder), name=choices.name, next=steps)
    if choices.account:
        config = folder / "opsctl.yaml"
        invocation.console.say(
            f"before the first release, set `caddyfile.variables.AUTH_URL` in {config}"
        )
    invocation.console.say("next:\n" + "\n".join(f"  {step}" for step in steps))
