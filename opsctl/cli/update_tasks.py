"""`opsctl update-tasks`: from a commit to healthy tasks, with the true outcome."""

from typing import Annotated

import typer

from opsctl.cli import moments
from opsctl.cli.options import DryRun, Invocation, Yes, group, opened
from opsctl.cli.run import Answers, run
from opsctl.cli.screens.board import BoardScreen
from opsctl.cli.screens.image import ImageScreen
from opsctl.cli.screens.plan import PlanScreen
from opsctl.cli.screens.releases import SAME, ReleasesScreen
from opsctl.cli.screens.rollout import RolloutScreen
from opsctl.cli.screens.screen import Screen
from opsctl.cli.screens.stack import StackScreen
from opsctl.errors import ConfigError
from opsctl.outcome import Outcome
from opsctl.procedure import Procedure
from opsctl.releases.plan import Options
from opsctl.releases.update_tasks import UpdateTasks
from opsctl.rollout.plan import Strategy

Timeout = Annotated[
    str, typer.Option("--timeout", metavar="DURATION", help="How long the whole roll may take.")
]
app = group("Render the Caddyfile, build, push and roll the tasks.")


@app.command()
def update_tasks(
    context: typer.Context,
    yes: Yes = False,
    dry_run: DryRun = False,
    image: Annotated[
        str | None, typer.Option(metavar="REF", help="Roll this image; build nothing.")
    ] = None,
    no_build: Annotated[
        bool, typer.Option("--no-build", help="Only an image that the registry already has.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build again although the registry has this content.")
    ] = False,
    strategy: Annotated[
        Strategy, typer.Option(help="Let ECS replace tasks, or stop them in waves.")
    ] = Strategy.ROLLING,
    force: Annotated[bool, typer.Option("--force", help="Roll even when nothing changed.")] = False,
    timeout: Timeout = "20m",
    no_early_stop: Annotated[
        bool, typer.Option("--no-early-stop", help="Wait for the end even if it can only fail.")
    ] = False,
) -> int:
    """Render the Caddyfile, build and push the image, roll the tasks, verify what runs."""
    invocation, console = opened(context), opened(context).console
    if rebuild and (no_build or image is not None):
        raise ConfigError("--rebuild builds an image", hint="leave out --image and --no-build")
    patience = moments.duration(timeout, "--timeout")
    options = Options(
        image, no_build, rebuild, force, strategy, patience, early_stop=not no_early_stop
    )
    release = UpdateTasks(invocation.clients, invocation.config, invocation.path.parent, options)
    screens = (
        BoardScreen(console),
        ReleasesScreen(console),
        ImageScreen(console),
        StackScreen(console, tree=False),
        RolloutScreen(console),
    )
    if dry_run:
        return preview(invocation, release.preview(), *screens)
    outcome: Outcome = run(
        invocation, release.run(), PlanScreen(console), *screens, answers=Answers(yes)
    )
    outcome.require()
    return 0


def preview(invocation: Invocation, procedure: Procedure[bool], *screens: Screen) -> int:
    """Show what a roll would do. Returns 0 for nothing, 2 for changes."""
    if run(invocation, procedure, PlanScreen(invocation.console, data=True), *screens):
        return 2
    invocation.console.say(f"nothing to roll; {SAME}")
    return 0
