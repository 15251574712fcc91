"""`opsctl config`: validate the file, show the merged config and its schema."""

import json
from typing import Annotated

import typer

from opsctl.cli.options import group, opened

app = group("Check, show or describe opsctl.yaml.")


@app.command()
def check(context: typer.Context) -> None:
    """Validate the file, with each of its environments unless --env chooses one."""
    from opsctl.config import document, load
    from opsctl.stacks import definition

    invocation = opened(context)
    console = invocation.console
    file = document.read(invocation.path)
    chosen = [invocation.environment]
    if invocation.environment is None:
        chosen += load.environments(file)
    warnings: dict[str, None] = {}
    for environment in chosen:
        loaded = load.link(
            file,
            environment=environment,
            environ=invocation.environ,
            overrides=invocation.overrides,
        )
        warnings |= dict.fromkeys(loaded.warnings)
        for stack in definition.BY_KIND.values():
            stack(loaded.config)  # refuses names that no template can use
    for warning in warnings:
        console.warn(warning)
    console.emit("config_check", environments=chosen, warnings=list(warnings))
    names = ", ".join(f"`{name}`" for name in chosen if name)
    console.say(f"`{invocation.path}` is valid{f', with {names}' if names else ''}")


@app.command()
def show(
    context: typer.Context,
    origin: Annotated[
        bool, typer.Option("--origin", help="Also say where each value came from.")
    ] = False,
) -> None:
    """Print every key with its value; what may be a secret is masked."""
    from opsctl.config import show as showing

    invocation = opened(context)
    for row in showing.rows(invocation.loaded):
        invocation.console.emit("config_value", key=row.key, value=row.value, origin=row.origin)
        if not invocation.console.json:
            text = f"{row.key}: {json.dumps(row.value, ensure_ascii=False)}"
            invocation.console.data(f"{text}  # {row.origin}" if origin else text)


@app.command()
def schema(context: typer.Context) -> None:
    """Print the JSON Schema of opsctl.yaml, for editors."""
    from opsctl.config.schema import schema as described

    console = opened(context).console
    console.emit("config_schema", schema=described())
    if not console.json:
        console.data(json.dumps(described(), indent=2))
