"""`opsctl ecs restart`: start new tasks of what runs, without building an image."""

from typing import Annotated

import typer

from opsctl.cli import moments
from opsctl.cli.options import DryRun, Yes, opened
from opsctl.cli.run import Answers, run
from opsctl.cli.screens.board import BoardScreen
from opsctl.cli.screens.plan import PlanScreen
from opsctl.cli.screens.releases import ReleasesScreen
from opsctl.cli.screens.rollout import RolloutScreen
from opsctl.cli.screens.stack import StackScreen
from opsctl.outcome import Outcome
from opsctl.releases.plan import Options
from opsctl.releases.update_tasks import UpdateTasks
from opsctl.rollout.plan import Strategy


def restart(
    context: typer.Context,
    yes: Yes = False,
    dry_run: DryRun = False,
    strategy: Annotated[
        Strategy, typer.Option(help="Let ECS replace tasks, or stop them in waves.")
    ] = Strategy.ROLLING,
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="How long the whole restart may take.")
    ] = "20m",
) -> int:
    """Start new tasks of the image that runs, and verify them; needs no Docker and no commit."""
    invocation, console = opened(context), opened(context).console
    options = Options(
        strategy=strategy, timeout=moments.duration(timeout, "--timeout"), restart=True
    )
    release = UpdateTasks(invocation.clients, invocation.config, invocation.path.parent, options)
    screens = (
        BoardScreen(console),
        PlanScreen(console, data=dry_run),
        ReleasesScreen(console),
        StackScreen(console, tree=False),
        RolloutScreen(console),
    )
    if dry_run:
        return 2 if run(invocation, release.preview(), *screens) else 0
    outcome: Outcome = run(invocation, release.run(), *screens, answers=Answers(yes))
    outcome.require()
    return 0
