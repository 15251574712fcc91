"""`opsctl status`: the whole system on one screen, and what is wrong with it."""

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from opsctl.cli import looking, moments, options
from opsctl.cli.options import Invocation, opened
from opsctl.errors import AwsError

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
    every: Annotated[str, typer.Option(metavar="DURATION", help="How often with --watch.")] = "5s",
) -> int:
    """Show stacks, service, tasks, targets, instances, cache, alarms and what is wrong now."""
    from opsctl.cli.screens import status as screens

    invocation, console = opened(context), opened(context).console
    options.require_one({"--check": check, "--watch": watch})
    options.require_partner(context, "every", "--every", "--watch", watch)
    pause = moments.pause(every, "--every")
    if check:
        return screens.show_health(console, *look(invocation, patient=True))
    while True:
        now, causes = look(invocation)
        screens.show(console, now, causes, invocation.quick_reader.clients.region, in_place=watch)
        if not watch:
            require_seen(now)
            return 0
        time.sleep(pause)


def require_seen(now: "Snapshot") -> None:
    """Raise AwsError when nothing at all could be read."""
    if now.blind:
        first = now.unread[0]
        hint = first.hint or "opsctl doctor"
        raise AwsError(f"nothing can be read: {first.reason}", hint=hint, cause=first.cause)


def look(invocation: Invocation, *, patient: bool = False) -> "tuple[Snapshot, Sequence[Cause]]":
    """Take a snapshot and rank its causes. A `patient` look that a script acts on is repeated
    while seconds may tell more.
    """
    from opsctl.cause import rank
    from opsctl.cause.history import History
    from opsctl.cause.looks import STATUS

    once = partial(invocation.quick_reader, STATUS)
    looks = looking.until_told(once, invocation.sleep) if patient else (once(),)
    return looks[-1], rank.rank(History.of(looks))


def show_part(invocation: Invocation, labels: Sequence[str]) -> None:
    """Show rows of the screen for a command about them."""
    from opsctl.cause.looks import STATUS
    from opsctl.cli.screens import status as screens
    from opsctl.cli.screens import status_rows
    from opsctl.snapshot.snapshot import Look

    parts = {part for row in status_rows.ROWS if row.label in labels for part in row.parts}
    # Whether something is missing depends on the stacks.
    now = invocation.quick_reader(Look(STATUS.parts & (parts | {"stacks"})))
    screens.show_part(invocation.console, now, labels)
