"""`opsctl rehearse`: see a failure before the first bad night."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.options import group, opened
from opsctl.sandbox import rehearsal

app = group("Run a command against a prepared failure.")


@app.command()
def rehearse(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="SCENARIO", help="Which; without it, all are listed.")
    ] = None,
) -> int:
    """List the rehearsals, or run the real command of one in a sandbox of its own."""
    console = opened(context).console
    if name is None:
        for one in rehearsal.every():
            console.emit("rehearsal", name=one.name, tells=one.tells, command=list(one.command))
        if not console.json:
            rows = [(one.name, one.tells) for one in rehearsal.every()]
            console.table(("SCENARIO", "WHAT GOES WRONG"), rows)
        return 0
    chosen = rehearsal.load(name)
    with tempfile.TemporaryDirectory(prefix="opsctl-rehearsal-") as folder:
        for event in rehearsal.run(chosen, Path(folder), opened(context).environ):
            console.emit("rehearsal_event", **vars(event))
            if event.kind == "step":
                console.say(f"- {event.text}")
            elif event.kind == "screen" and not console.json:
                console.data(f"  {event.text}")
            elif event.kind == "result":
                console.say(f"exit code {event.exit_code}; see docs/exit-codes.md")
                console.say(f"what was wrong: {chosen.tells} ({chosen.cause})")
    return 0
