"""`opsctl completion`: print a shell's completion script, or install it."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from opsctl import disk
from opsctl.cli.options import group, opened

app = group("Print the completion script of a shell.")


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SCRIPTS = Path(__file__).parent / "shells"
# shell -> (variable of the folder, its default in the home directory, the file in it)
_PLACES = {
    Shell.BASH: ("XDG_DATA_HOME", ".local/share", "bash-completion/completions/opsctl"),
    Shell.ZSH: ("XDG_DATA_HOME", ".local/share", "zsh/site-functions/_opsctl"),
    Shell.FISH: ("XDG_CONFIG_HOME", ".config", "fish/completions/opsctl.fish"),
}
_ONCE = {
    Shell.BASH: "bash-completion reads it in every new shell; "
    'without that package, add to ~/.bashrc: eval "$(opsctl completion bash)"',
    Shell.ZSH: "before `compinit`, ~/.zshrc needs: fpath+=({folder})",
    Shell.FISH: "fish reads it in every new shell",
}


@app.command()
def completion(
    context: typer.Context,
    shell: Annotated[Shell, typer.Argument(help="For which shell.")],
    install: Annotated[
        bool, typer.Option("--install", help="Write it where the shell looks for it.")
    ] = False,
) -> None:
    """Print the script: `eval "$(opsctl completion bash)"`.

    It completes commands, options and live names: environments, log sources, tasks, instances.
    """
    console = opened(context).console
    script = (_SCRIPTS / f"opsctl.{shell}").read_text(encoding="utf-8")
    if not install:
        console.emit("completion", shell=str(shell), script=script)
        if not console.json:
            console.data(script.rstrip("\n"))
        return
    variable, default, name = _PLACES[shell]
    file = Path(os.environ.get(variable) or Path.home() / default) / name
    disk.write(file, script, folders=True, hint=f'eval "$(opsctl completion {shell})"')
    console.emit("completion", shell=str(shell), path=str(file))
    console.say(f"wrote {file}; {_ONCE[shell].format(folder=file.parent)}")
