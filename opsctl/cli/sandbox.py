"""`opsctl sandbox`: an AWS on this machine."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from opsctl import disk
from opsctl.cli import sandbox_process
from opsctl.cli.options import group, opened
from opsctl.cli.run import run
from opsctl.errors import ConfigError

app = group("Run a simulated AWS on this machine.")

Name = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Which sandbox; several may run side by side.")
]


@app.command()
def up(
    context: typer.Context,
    name: Name = "default",
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    region: Annotated[
        str, typer.Option(metavar="REGION", help="Region that `sandbox env` names.")
    ] = "us-east-1",
    tasks: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="What a task is: docker, process, none; auto is docker if possible.",
        ),
    ] = "auto",
    max_processes: Annotated[
        int, typer.Option(metavar="N", help="Processes or containers at most; tasks share them.")
    ] = 8,
    speed: Annotated[
        float, typer.Option(metavar="FACTOR", help="Simulated seconds in a second.")
    ] = 60.0,
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed, same history.")] = 0,
) -> None:
    """Start it in the background; every other command then works as on AWS."""
    invocation = opened(context)
    settings = {
        "--port": port,
        "--region": region,
        "--tasks": tasks,
        "--max-processes": max_processes,
        "--speed": speed,
        "--seed": seed,
    }
    options = [f"{option}={value}" for option, value in settings.items()]
    for item in sandbox_process.run(["up", f"--name={name}", *options], invocation.environ):
        if item["type"] == "sandbox":
            invocation.console.emit("sandbox", **_members(item))
        else:
            invocation.console.say(item["message"])
    option = "" if name == "default" else f" --name {name}"
    invocation.console.say(f'next: eval "$(opsctl sandbox env{option})"')


@app.command()
def down(context: typer.Context, name: Name = "default") -> None:
    """Stop it and everything that it started."""
    invocation = opened(context)
    for item in sandbox_process.run(["down", f"--name={name}"], invocation.environ):
        invocation.console.say(item["message"])


@app.command()
def status(context: typer.Context, name: Name = "default") -> None:
    """Say whether it runs, and where."""
    invocation = opened(context)
    [item] = sandbox_process.run(["status", f"--name={name}"], invocation.environ)
    invocation.console.emit("sandbox", **_members(item))
    if not invocation.console.json:
        for key, value in _members(item).items():
            invocation.console.data(f"{key.replace('_', ' '):<14} {value}")


@app.command()
def env(context: typer.Context, name: Name = "default") -> None:
    """Print the `AWS_*` exports: `eval "$(opsctl sandbox env)"`."""
    invocation = opened(context)
    [item] = sandbox_process.run(["env", f"--name={name}"], invocation.environ)
    invocation.console.emit("environment", **item["values"])
    if not invocation.console.json:
        invocation.console.data(item["exports"])


@app.command()
def image(
    context: typer.Context,
    name: Name = "default",
    tag: Annotated[
        str, typer.Option(metavar="TAG", help="Its tag; by default a part of its digest.")
    ] = "",
) -> None:
    """Pack the service and the filled Caddyfile without an engine, push, print the reference."""
    from opsctl.releases import make

    invocation = opened(context)
    [running] = sandbox_process.run(["status", f"--name={name}"], invocation.environ)
    if invocation.environ.get("AWS_ENDPOINT_URL") != running["endpoint"]:
        raise ConfigError(
            f"this shell does not lead to the sandbox `{name}`", hint='eval "$(opsctl sandbox env)"'
        )
    config, root = invocation.config, invocation.path.parent
    files = run(invocation, make.files(config, root))
    with TemporaryDirectory(prefix="opsctl-image-", dir=disk.temporary()) as folder:
        words = ["image", f"--name={name}", f"--repository={config.image.repository}"]
        words += [f"--tag={tag}", f"--service={root / config.image.context / 'service'}"]
        for option, path in (
            ("caddyfile", config.caddyfile.output),
            ("secrets", config.secrets.file),
        ):
            file = Path(folder) / option
            file.write_bytes(files[path])
            words.append(f"--{option}={file}")
        [item] = sandbox_process.run(words, invocation.environ)
    invocation.console.emit("packed_image", **_members(item))
    if not invocation.console.json:
        invocation.console.data(item["reference"])


def _members(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "type"}
