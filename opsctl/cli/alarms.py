"""`opsctl alarms`: create the alarms of the catalogue, and show what they say."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from opsctl.alarms import backtest as playing
from opsctl.alarms import points, trial, watched, words
from opsctl.cli import moments, stack
from opsctl.cli.options import Confirm, DryRun, Invocation, Since, Yes, group, opened, plan_only
from opsctl.cli.run import Answers, run
from opsctl.cli.screens import alarms as screens
from opsctl.metrics.series import Series
from opsctl.outcome import Outcome
from opsctl.snapshot.snapshot import Look
from opsctl.stacks import alarms, remove

app = group("The alarms: their stack, their states, and what they would have done.")
_HISTORY = timedelta(days=14)
Name = Annotated[str, typer.Argument(metavar="ALARM", help="As `alarms status` names it.")]


@app.command()
def plan(context: typer.Context) -> int:
    """Show what `up` would change, also alarms changed by hand: exit 0 nothing, 2 something."""
    invocation = plan_only(context)
    screen = screens.AlarmsScreen(invocation.console, data=True)
    return stack.plan(invocation, alarms.preview(invocation.clients, invocation.config), screen)


@app.command()
def up(
    context: typer.Context, yes: Yes = False, dry_run: DryRun = False, confirm: Confirm = None
) -> int:
    """Create or update every alarm, the topic that they notify, and a dashboard."""
    if dry_run:
        return plan(context)
    invocation = opened(context)
    invocation.warn()
    procedure = alarms.up(invocation.clients, invocation.config)
    screen = screens.AlarmsScreen(invocation.console)
    stack.change(invocation, procedure, Answers(yes, confirm or ()), screen)
    return stack.status(invocation, "alarms")


@app.command()
def down(context: typer.Context, yes: Yes = False, confirm: Confirm = None) -> int:
    """Remove the alarms, their topic and the dashboard."""
    invocation = opened(context)
    procedure = remove.down(invocation.clients, invocation.config, "alarms")
    return stack.change(invocation, procedure, Answers(yes, confirm or ()))


@app.command()
def status(context: typer.Context) -> None:
    """Show each alarm's state: since when, and why one is in ALARM."""
    invocation = opened(context)
    now = invocation.reader(watched.LOOK_AT_MUTES).require("stacks", "alarms")
    alarms = watched.watched(now, invocation.config)
    ringing = [one for one in alarms if one.state is not None and one.state.rings]
    reasons = {one.name: words.points(one, series) for one, series in _newest(invocation, ringing)}
    screens.show_states(invocation.console, alarms, reasons, now.at)
    if now.stack("alarms") is None:
        invocation.console.say(
            f"`{now.names.stacks['alarms']}` does not exist; "
            + invocation.console.hint("first: opsctl alarms up")
        )
    elif other := [one.alarm.name for one in alarms if watched.differs(one)]:
        invocation.console.say(
            f"not as the config has them: {', '.join(other)}; "
            + invocation.console.hint("opsctl alarms up")
        )


@app.command()
def explain(context: typer.Context, name: Name) -> None:
    """Say when an alarm goes off, what its newest points are, and how gaps count."""
    invocation = opened(context)
    at = datetime.now(UTC)
    prefix = invocation.reader.names.alarms
    full = f"{prefix}{name.removeprefix(prefix)}"
    more = Look(frozenset({"alarm_changes", "releases"}), (), since=at - _HISTORY, alarm=full)
    now = invocation.reader(watched.LOOK_AT_MUTES | more).require("stacks", "alarms")
    alarms = watched.watched(now, invocation.config)
    one = watched.named(alarms, name, now.names.alarms)
    newest = next((series for _, series in _newest(invocation, [one])), None)
    for unread in now.unread:
        if unread.part != "mute_rules":  # which has a row of its own
            invocation.console.warn(f"not readable: {unread.part}: {unread.reason}")
    screens.show_one(invocation.console, one, newest, now.alarm_changes, now)


@app.command()
def backtest(context: typer.Context, since: Since = "14d") -> None:
    """Apply the config's rules to past data: how often would each alarm have gone off?"""
    invocation = opened(context)
    now = invocation.reader(watched.LOOK).require("stacks")
    alarms = watched.watched(now, invocation.config)
    start = moments.moment(since, now=now.at, zone=UTC)
    played = playing.backtest(invocation.clients.cloudwatch, alarms, start, now.at)
    screens.show_played(invocation.console, played, now.at - start)
    unnamed = len(alarms) - len(played)
    if unnamed:
        invocation.console.say(f"left out {unnamed} alarms of resources that do not exist yet")


@app.command()
def test(context: typer.Context, name: Name, yes: Yes = False) -> int:
    """Set an alarm off for a moment, so that somebody sees its message arrive."""
    invocation = opened(context)
    procedure = trial.trial(invocation.clients, invocation.config, name)
    screen = screens.AlarmsScreen(invocation.console)
    outcome: Outcome = run(invocation, procedure, screen, answers=Answers(yes))
    outcome.require()
    return 0


def _newest(
    invocation: Invocation, alarms: Sequence[watched.Watched]
) -> list[tuple[watched.Watched, Series]]:
    clients = invocation.clients
    return points.newest(clients.cloudwatch, alarms, clients.clock.now())
