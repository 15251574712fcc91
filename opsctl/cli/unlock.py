"""`opsctl unlock STACK`: remove a lock whose holder is gone, after a look at the stack."""

from typing import Annotated

import typer

from opsctl.cli.options import Yes, group, opened
from opsctl.cli.run import Answers, run
from opsctl.cli.screens.stack import StackScreen
from opsctl.outcome import Outcome
from opsctl.stacks.unlock import unlock as unlocking

app = group("Remove the lock of a command that is gone.")


@app.command()
def unlock(
    context: typer.Context,
    stack: Annotated[str, typer.Argument(metavar="STACK", help="As the lock names it: web-ecs.")],
    yes: Yes = False,
) -> int:
    """Show the stack, ask, and remove its lock."""
    invocation = opened(context)
    procedure = unlocking(invocation.clients, stack)
    outcome: Outcome = run(
        invocation, procedure, StackScreen(invocation.console), answers=Answers(yes)
    )
    outcome.require()
    return 0
