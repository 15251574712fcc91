"""`opsctl rehearse`: play a failure before it happens at night."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from opsctl.cli import sandbox_process
from opsctl.cli.options import group, opened
from opsctl.cli.screens.console import Console
from opsctl.errors import OpsError

app = group("Run a command against a prepared failure.")


@app.command()
def rehearse(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="SCENARIO", help="Its name, or a file.yaml of your own; without it, a list."
        ),
    ] = None,
) -> int:
    """List the rehearsals, or play one in its own sandbox: its command, then `opsctl why`."""
    invocation = opened(context)
    console = invocation.console
    if name is None:
        _list(console, list(sandbox_process.run(["rehearsals"], invocation.environ)))
        return 0
    options = ["--json"] if console.json else []
    items = sandbox_process.run(["rehearse", *options, "--", name], invocation.environ)
    chosen = next(items)
    for event in items:
        _show(console, event)
    judge(console, chosen, event)
    return 0


def _list(console: Console, rehearsals: list[dict[str, Any]]) -> None:
    for one in rehearsals:
        console.emit("rehearsal", name=one["name"], tells=one["tells"], command=one["command"])
    if not console.json:
        rows = [(one["name"], one["tells"]) for one in rehearsals]
        console.table(("SCENARIO", "WHAT GOES WRONG"), rows)


def _show(console: Console, event: Mapping[str, Any]) -> None:
    members = {key: value for key, value in event.items() if key != "type"}
    console.emit("rehearsal_event", **members)
    if event["kind"] in ("step", "why"):
        console.say(f"- {event['text']}")
    elif event["kind"] == "screen" and not console.json:
        console.data(f"  {event['text']}")


def judge(console: Console, rehearsal: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Raise OpsError when the command did not end as the rehearsal's file says."""
    console.say(f"exit code {result['exit_code']}; see docs/exit-codes.md")
    console.say(f"what was wrong: {rehearsal['tells']} ({rehearsal['cause']})")
    if result["otherwise"]:
        raise OpsError(
            f"`{rehearsal['name']}` did not end as its file says: {'; '.join(result['otherwise'])}",
            hint=f"compare with {rehearsal['file']}",
        )
