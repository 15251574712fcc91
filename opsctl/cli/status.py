"""`opsctl status`: the whole system on one screen, and what is wrong with it."""

import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from opsctl.cli.options import Invocation, opened

if TYPE_CHECKING:
    from opsctl.cause.cause import Cause
    from opsctl.snapshot.snapshot import Snapshot

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat in place until Ctrl-C.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="One line; exit 0 healthy, 10 degraded, 11 unknown.")
    ] = False,
    every: Annotated[int, typer.Option(min=1, help="Seconds between two looks of --watch.")] = 5,
) -> int:
    """Show stacks, service, tasks, targets, instances, cache, alarms and what is wrong now."""
    invocation = opened(context)
    while True:
        now, causes = look(invocation)
        if check:
            return _check(invocation, now, causes)
        show(invocation, now, causes, clear=watch)
        if not watch:
            return unanswered(now)
        time.sleep(every)


def unanswered(now: "Snapshot") -> int:
    """Return the exit code: 3 when nothing could be read, else 0 even if something is wrong."""
    return 3 if now.blind else 0


def look(invocation: Invocation) -> "tuple[Snapshot, Sequence[Cause]]":
    """Take one snapshot without waiting, and rank its causes."""
    from opsctl.cause import rank
    from opsctl.cause.history import History
    from opsctl.cause.looks import STATUS

    now = invocation.quick_reader(STATUS)
    return now, rank.rank(History.of([now]))


def show(
    invocation: Invocation, now: "Snapshot", causes: "Sequence[Cause]", *, clear: bool = False
) -> None:
    from opsctl.cli.screens import causes as causing
    from opsctl.cli.screens import status as screens
    from opsctl.snapshot import record

    console = invocation.console
    if console.json:
        console.emit(
            "status",
            health=screens.health(now, causes)[0],
            causes=[cause.id for cause in causes],
            snapshot=record.to_json(now),
        )
        for number, cause in enumerate(causes, 1):
            causing.emit(console, cause, number)
        return
    size = shutil.get_terminal_size((screens.WIDTH, screens.LINES))
    width = min(max(size.columns, 60), 120)
    # The cursor needs a line of its own below the screen.
    tall = min(screens.LINES, max(size.lines - 1, 5)) if clear else screens.LINES
    region = invocation.quick_reader.clients.region
    lines = screens.screen(now, causes, console, width=width, lines=tall, region=region)
    if clear and sys.stdout.isatty() and not console.plain:
        console.in_place(lines)
        return
    for line in lines:
        console.data(line.rstrip())


def show_part(invocation: Invocation, labels: Sequence[str]) -> None:
    """Show rows of the screen for a command about them."""
    from opsctl.cause.looks import STATUS
    from opsctl.cli.screens import status as screens
    from opsctl.cli.screens import status_rows
    from opsctl.snapshot.snapshot import Look

    parts = {part for row in status_rows.ROWS if row.label in labels for part in row.parts}
    now = invocation.quick_reader(Look(STATUS.parts & parts))
    for line in screens.part(now, labels, invocation.console, width=screens.WIDTH):
        invocation.console.data(line.rstrip())


def _check(invocation: Invocation, now: "Snapshot", causes: "Sequence[Cause]") -> int:
    from opsctl.cli.screens import status as screens

    word, sentence = screens.health(now, causes)
    invocation.console.emit("health", health=word, reason=sentence)
    if not invocation.console.json:
        invocation.console.data(f"{word}: {sentence}")
    return screens.EXITS[word]
