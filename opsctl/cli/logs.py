"""`opsctl logs`: follow the log sources, and list them."""

import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from opsctl import aws
from opsctl.cli import moments, options
from opsctl.cli.screens import log_lines
from opsctl.cli.screens.logs import LogsScreen, Stop, show_sources, writer
from opsctl.config.duration import format_duration, parse_duration
from opsctl.config.sources import NAMES
from opsctl.errors import ConfigError
from opsctl.logs import choice, resume, sources
from opsctl.logs.budget import Budget
from opsctl.logs.tail import Pace, Tail

app = options.group(f"Follow and list the log sources: {', '.join(NAMES)}.")


@app.command()
def tail(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[SOURCE]...")] = None,
    since: options.Since = "10m",
    until: Annotated[str | None, Option(help="Read up to then and end.")] = None,
    follow: Annotated[
        bool | None, Option("--follow/--no-follow", help="Default: on a terminal.")
    ] = None,
    pattern: Annotated[str, Option("--filter", help="CloudWatch's own filter pattern.")] = "",
    grep: Annotated[str | None, Option(help="Only messages that match this regex.")] = None,
    exclude: Annotated[str | None, Option(help="No messages that match this regex.")] = None,
    task: Annotated[str | None, Option(help="Only this task, by its id or a part.")] = None,
    instance: Annotated[str | None, Option(help="Only this EC2 instance.")] = None,
    stream: Annotated[str | None, Option(help="Only streams: PREFIX or /REGEX/.")] = None,
    level: Annotated[str | None, Option(help="Only this level and worse.")] = None,
    fields: Annotated[str, Option(help="Columns of a line.")] = ",".join(log_lines.DEFAULT),
    local: Annotated[bool, Option("--local/--utc", help="Zone of times, --since too.")] = False,
    lines: Annotated[int | None, Option(min=1, help="Only the last N of the past.")] = None,
    look_back: Annotated[str, Option(help="How late an event may come.")] = "15m",
    max_rate: Annotated[float | None, Option(min=0.1, help="Calls a second.")] = None,
    bookmark: Annotated[
        Path | None, Option("--resume", help="Go on where FILE says, and keep it.")
    ] = None,
) -> None:
    """Print the lines of the sources in order of time, each once; all sources by default.

    Without --follow it ends when everything is read. Ctrl-C ends it with a summary.
    """
    # Long because it is the table of options, each used once: no part of it has a name.
    invocation, console = options.opened(context), options.opened(context).console
    zone = (datetime.now().astimezone().tzinfo if local else None) or UTC
    now = datetime.now(UTC)
    if until is not None and follow:
        raise ConfigError("--until ends the reading and --follow does not; leave one out")
    following = until is None and (sys.stdout.isatty() if follow is None else follow)
    groups = sources.chosen(
        invocation.config.logs, names or [], task=bool(task), instance=bool(instance)
    )
    selection = choice.selection(pattern, stream=stream, task=task, instance=instance)
    admits = choice.admits(grep=grep, exclude=exclude, level=level)
    write = writer(console, groups, log_lines.parse_fields(fields), zone)
    stop, late = Stop(), _duration(look_back)
    budget = Budget.of(invocation.clients.region, max_rate, following=following)
    reading = Tail(
        invocation.clients.logs_once,
        groups,
        since=moments.parse_moment(since, now=now, zone=zone),
        until=None if until is None else moments.moment(until, now=now, zone=zone),
        follow=following,
        selections={group.source: selection for group in groups},
        look_back=late,
        pace=Pace(budget, stopped=stop),
        renew=lambda: aws.connect(invocation.config.aws).logs_once,
        resume=resume.read(bookmark) if bookmark else None,
    )
    screen = LogsScreen(
        console,
        reading,
        write=write,
        admits=admits,
        last=lines,
        bookmark=bookmark,
        explain=lambda notice: sources.explain(invocation.clients.logs, notice, groups, selection),
    )
    if following:
        console.say(
            f"following {', '.join(group.source for group in groups)} since {since}; an event "
            f"may come {format_duration(late)} late; Ctrl-C ends"
        )
    stop.listen()
    screen.run()
    if following or stop.asked:
        screen.summary()
    if stop.asked:
        raise typer.Exit(130)
    screen.check_missing(len(groups))


@app.command("sources")
def list_sources(context: typer.Context) -> None:
    """List the log sources: their groups, whether they exist, and their newest stream.

    CloudWatch learns of new streams and times with a delay of up to an hour.
    """
    invocation = options.opened(context)
    groups = sources.chosen(invocation.config.logs, [])
    statuses = list(map(partial(sources.status, invocation.clients.logs), groups))
    show_sources(invocation.console, statuses, datetime.now(UTC))


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(str(error)) from error
