"""`opsctl rehearse`: see a failure before the first bad night."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.options import group, opened
from opsctl.cli.screens.console import Console
from opsctl.errors import OpsError
from opsctl_sandbox.rehearsals import rehearsal
from opsctl_sandbox.rehearsals.rehearsal import Rehearsal, RehearsalEvent

app = group("Run a command against a prepared failure.")


@app.command()
def rehearse(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="SCENARIO", help="Which; without it, all are listed.")
    ] = None,
) -> int:
    """List the rehearsals, or run the real command of one in a sandbox of its own."""
    invocation = opened(context)
    console = invocation.console
    if name is None:
        _list(console)
        return 0
    chosen = rehearsal.load(name)
    with tempfile.TemporaryDirectory(prefix="opsctl-rehearsal-") as folder:
        for event in rehearsal.run(chosen, Path(folder), invocation.environ, json=console.json):
            _show(console, event)
    judge(console, chosen, event)
    return 0


def _list(console: Console) -> None:
    for one in rehearsal.every():
        console.emit("rehearsal", name=one.name, tells=one.tells, command=list(one.command))
    if not console.json:
        rows = [(one.name, one.tells) for one in rehearsal.every()]
        console.table(("SCENARIO", "WHAT GOES WRONG"), rows)


def _show(console: Console, event: RehearsalEvent) -> None:
    console.emit("rehearsal_event", **vars(event))
    if event.kind == "step":
        console.say(f"- {event.text}")
    elif event.kind == "screen" and not console.json:
        console.data(f"  {event.text}")


def judge(console: Console, chosen: Rehearsal, result: RehearsalEvent) -> None:
    """Raises OpsError when it ended otherwise than its file says."""
    console.say(f"exit code {result.exit_code}; see docs/exit-codes.md")
    console.say(f"what was wrong: {chosen.tells} ({chosen.cause})")
    if result.otherwise:
        raise OpsError(
            f"`{chosen.name}` did not end as it should: {'; '.join(result.otherwise)}",
            hint=f"compare with opsctl_sandbox/rehearsals/scenarios/{chosen.name}.yaml",
        )
