"""What all stack commands share: a plan, a change, the status."""

from collections.abc import Sequence

from opsctl.cli.options import Invocation
from opsctl.cli.run import Answers, run
from opsctl.cli.screens.screen import Screen
from opsctl.cli.screens.stack import StackScreen
from opsctl.outcome import Outcome
from opsctl.procedure import Procedure
from opsctl.snapshot.snapshot import Kind, Look


def plan(invocation: Invocation, procedure: Procedure[bool], *more: Screen) -> int:
    """Print the plans. Returns 0 for no change, 2 for changes."""
    invocation.warn()
    # The last one for what is left of a stack that is made anew.
    screens = (*_plan_screens(invocation, data=True), *more, StackScreen(invocation.console))
    return 2 if run(invocation, procedure, *screens) else 0


def change(
    invocation: Invocation, procedure: Procedure[Outcome], answers: Answers, *more: Screen
) -> int:
    """Run the change. Raises the error of a bad outcome."""
    screens = (*_plan_screens(invocation), *more, StackScreen(invocation.console))
    outcome: Outcome = run(invocation, procedure, *screens, answers=answers)
    outcome.require()
    return 0


def _plan_screens(invocation: Invocation, *, data: bool = False) -> tuple[Screen, ...]:
    # Imported here: `status` needs neither, and starts faster without them.
    from opsctl.cli.screens.instances import InstancesScreen
    from opsctl.cli.screens.plan import PlanScreen

    console = invocation.console
    return PlanScreen(console, data=data), InstancesScreen(console, data=data)


def status(invocation: Invocation, *kinds: Kind, rows: Sequence[str] = ()) -> int:
    """Show the state and outputs of each stack, and these rows of `opsctl status`."""
    console, screen = invocation.console, StackScreen(invocation.console)
    now = invocation.reader(Look(frozenset({"stacks"}), kinds)).require("stacks")
    for kind in kinds:
        state, name = now.stacks.get(kind), now.names.stacks[kind]
        if state is None:
            console.emit("stack", stack=name, status=None)
            console.say(f"`{name}` does not exist")
        else:
            screen.show(state)
    if rows and any(now.stack(kind) for kind in kinds) and not console.json:
        from opsctl.cli import status as whole

        whole.show_part(invocation, rows)
    return 0
