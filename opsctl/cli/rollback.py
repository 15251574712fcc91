"""`opsctl rollback`: go back to the last good release, or to a given one."""

from typing import Annotated

import typer

from opsctl.cli import moments
from opsctl.cli.options import DryRun, Yes, group, opened
from opsctl.cli.run import Answers, run
from opsctl.cli.screens.board import BoardScreen
from opsctl.cli.screens.image import ImageScreen
from opsctl.cli.screens.plan import PlanScreen
from opsctl.cli.screens.releases import ReleasesScreen
from opsctl.cli.screens.rollout import RolloutScreen
from opsctl.cli.screens.stack import StackScreen
from opsctl.cli.update_tasks import Timeout, preview
from opsctl.outcome import Outcome
from opsctl.releases.rollback import Rollback
from opsctl.rollout.plan import Strategy

app = group("Roll an earlier release again; needs no Docker and no commit.")


@app.command()
def rollback(
    context: typer.Context,
    number: Annotated[
        int | None,
        typer.Argument(metavar="N", min=1, help="A release; else the last good one before this."),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    strategy: Annotated[
        Strategy, typer.Option(help="Let ECS replace tasks, or stop them in waves.")
    ] = Strategy.ROLLING,
    timeout: Timeout = "20m",
) -> int:
    """Bring back the image of an earlier release; a roll that is under way is cancelled first."""
    invocation, console = opened(context), opened(context).console
    back = Rollback(
        invocation.clients,
        invocation.config,
        invocation.path.parent,
        number=number,
        strategy=strategy,
        timeout=moments.duration(timeout, "--timeout"),
    )
    screens = (
        BoardScreen(console),
        ReleasesScreen(console),
        ImageScreen(console),
        StackScreen(console, tree=False),
        RolloutScreen(console),
    )
    if dry_run:
        return preview(invocation, back.preview(), *screens)
    outcome: Outcome = run(
        invocation, back.run(), PlanScreen(console), *screens, answers=Answers(yes)
    )
    outcome.require()
    return 0
