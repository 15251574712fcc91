"""`opsctl render`: print what would be sent, without a network."""

import json
from pathlib import Path
from typing import Annotated

import typer

from opsctl import disk
from opsctl.cli.options import Invocation, group, opened
from opsctl.errors import ConfigError

app = group("Print what would be sent; needs no network.")
# what -> the file that --out writes
FILES = {
    "db": "db.yaml",
    "ecr": "ecr.yaml",
    "ecs": "ecs.yaml",
    "alarms": "alarms.yaml",
    "caddyfile": "Caddyfile",
    "task-definition": "task-definition.json",
}


@app.command()
def render(
    context: typer.Context,
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar=f"[{'|'.join(FILES)}]...", help="All of them by default."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write files into this directory instead."),
    ] = None,
) -> None:
    """Print templates, Caddyfile and task definition as they would be sent."""
    invocation = opened(context)
    if unknown := [name for name in what or () if name not in FILES]:
        raise ConfigError(f"`{unknown[0]}` cannot be rendered", hint=f"one of: {', '.join(FILES)}")
    for name in what or FILES:
        text = _text(invocation, name)
        if out is not None:
            path = out / FILES[name]
            disk.write(path, text, folders=True)
            invocation.console.emit("rendered", what=name, path=str(path))
            invocation.console.say(f"wrote {path}")
        elif invocation.console.json:
            invocation.console.emit("rendered", what=name, text=text)
        else:
            invocation.console.data(text.removesuffix("\n"))


def _text(invocation: Invocation, what: str) -> str:
    from opsctl.stacks import definition, template

    config = invocation.config
    if what == "caddyfile":
        return _caddyfile(invocation)
    if what == "task-definition":
        text = definition.ecs(config).template
        return json.dumps(template.properties(text, "TaskDefinition"), indent=2) + "\n"
    return definition.BY_KIND[what](config).template


def _caddyfile(invocation: Invocation) -> str:
    from opsctl import caddyfile

    config = invocation.config
    path = invocation.path.parent / config.caddyfile.template
    template = caddyfile.read(path)
    # The endpoint is known once the stack exists. Until then an invented one stands here.
    endpoint = f"{config.db.name}.endpoint.invalid:{config.db.port}"
    console = invocation.console
    console.say(console.hint(f"`{endpoint}` stands for the address that `opsctl db up` gives"))
    values = caddyfile.variables(config, {"RedisEndpoint": endpoint})
    return caddyfile.fill(template, values, file=path.name)
