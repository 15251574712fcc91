"""`opsctl sandbox`: an AWS on this machine."""

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from opsctl.cli.options import group, opened
from opsctl.errors import ConfigError
from opsctl_sandbox.process import environment, lifecycle
from opsctl_sandbox.process.home import Home, Sandbox, Settings, Tasks

app = group("Run an AWS on this machine.")

Name = Annotated[str, typer.Option("--name", help="Which sandbox; several may run side by side.")]


@app.command()
def up(
    context: typer.Context,
    name: Name = "default",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    region: Annotated[str, typer.Option(help="Region that `sandbox env` names.")] = "us-east-1",
    tasks: Annotated[
        str,
        typer.Option(help="What a task is: docker, process, none; auto is docker if it can be."),
    ] = "auto",
    max_processes: Annotated[
        int, typer.Option(help="Processes or containers at most; tasks share them.")
    ] = 8,
    speed: Annotated[float, typer.Option(help="Simulated seconds in a second.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Same seed, same history.")] = 0,
) -> None:
    """Start it in the background; every other command then works as on AWS."""
    invocation = opened(context)
    if tasks not in get_args(Tasks):
        raise ConfigError(f"--tasks is {', '.join(get_args(Tasks))}, not `{tasks}`")
    settings = Settings(
        name=name,
        region=region,
        tasks=cast(Tasks, tasks),
        max_processes=max_processes,
        speed=speed,
        seed=seed,
    )
    home = Home(Path.cwd(), name)
    for event in lifecycle.up(home, settings, invocation.environ, port=port):
        invocation.console.say(event.message)
        if event.sandbox is not None:
            invocation.console.emit("sandbox", **_fields(event.sandbox))
    invocation.console.say(f'next: eval "$(opsctl sandbox env{home.option})"')


@app.command()
def down(context: typer.Context, name: Name = "default") -> None:
    """Stop it and everything it started."""
    invocation = opened(context)
    for event in lifecycle.down(Home(Path.cwd(), name)):
        invocation.console.say(event.message)


@app.command()
def status(context: typer.Context, name: Name = "default") -> None:
    """Say whether it runs, and where."""
    invocation = opened(context)
    sandbox = lifecycle.running(Home(Path.cwd(), name))
    invocation.console.emit("sandbox", **_fields(sandbox))
    if not invocation.console.json:
        for key, value in _fields(sandbox).items():
            invocation.console.data(f"{key.replace('_', ' '):<14} {value}")


@app.command()
def env(context: typer.Context, name: Name = "default") -> None:
    """Print the `AWS_*` exports: `eval "$(opsctl sandbox env)"`."""
    invocation = opened(context)
    values = environment.variables(lifecycle.running(Home(Path.cwd(), name)))
    invocation.console.emit("environment", **values)
    if not invocation.console.json:
        invocation.console.data(environment.exports(values))


def _fields(sandbox: Sandbox) -> dict[str, object]:
    settings = sandbox.settings
    return {
        "name": settings.name,
        "endpoint": sandbox.endpoint,
        "pid": sandbox.pid,
        "cache": f"127.0.0.1:{sandbox.cache_port}",
        "redis": sandbox.redis,
        "tasks": settings.tasks,
        "engine": sandbox.engine,
        "speed": settings.speed,
        "region": settings.region,
        "account": settings.account,
        "started_at": sandbox.started_at,
    }
