"""`opsctl why`: rank the causes of what is wrong, with evidence and a command."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsctl.cli import bundle
from opsctl.cli.options import opened
from opsctl.cli.screens import causes as screen
from opsctl.cli.screens import status
from opsctl.cli.status import require_seen
from opsctl.errors import ConfigError

if TYPE_CHECKING:
    from opsctl.cause.cause import Cause
    from opsctl.cli.screens.console import Console

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def why(
    context: typer.Context,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Explain this recording or bundle instead."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Pack all that is known into one file."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write one page: time line, causes, charts."),
    ] = None,
) -> int:
    """Rank the causes of what is wrong, now or in a recording, with evidence and a command.

    Without --from: the live system, and the last recording of a command that changed it.
    """
    if save is not None and html is not None and save.absolute() == html.absolute():
        raise ConfigError("--save and --html name the same file", hint="opsctl why --help")
    invocation = opened(context)
    console = invocation.console
    incident = (
        bundle.read(source) if source else bundle.collect(invocation, metrics=bool(save or html))
    )
    from opsctl.cause import rank

    causes = rank.rank(incident.history)
    if save is not None:
        bundle.save(incident, save)
        console.say(f"wrote {save}; to read it anywhere: opsctl why --from {save}")
    if html is not None:
        bundle.write_page(incident, causes, html)
        console.say(f"wrote {html}")
    _show(console, incident, causes)
    if source is not None or incident.now is None:
        return 0
    if any(cause.id == "config-refused" for cause in causes):
        return ConfigError.exit_code  # nothing was looked at
    require_seen(incident.now)
    return 0


def _show(console: "Console", incident: bundle.Incident, causes: "Sequence[Cause]") -> None:
    looked = screen.looked_at(incident.history)
    for number, cause in enumerate(causes, 1):
        screen.emit(console, cause, number)
    console.emit("why", causes=[cause.id for cause in causes], looked_at=looked, at=incident.at)
    if console.json:
        return
    for number, cause in enumerate(causes, 1):
        for line in screen.block(console, cause, number):
            console.data(line)
        console.data("")
    if incident.now is not None and status.nothing(incident.now):
        console.data(status.absence(incident.now))
    elif all(cause.over for cause in causes):
        console.data("nothing wrong that can be seen")
    console.data(looked)
