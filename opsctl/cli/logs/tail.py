"""`opsctl logs tail`: print the lines of the sources, and follow them."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from opsctl import aws
from opsctl.cli import moments, options
from opsctl.cli.logs import choosing
from opsctl.cli.screens import log_lines
from opsctl.cli.screens.logs import LogsScreen, writer
from opsctl.cli.stop import Stop
from opsctl.config.duration import format_duration
from opsctl.errors import ConfigError
from opsctl.logs import resume, sources
from opsctl.logs.budget import Budget
from opsctl.logs.choice import Choice, expression
from opsctl.logs.pace import Pace, in_thread
from opsctl.logs.tail import Reading, Tail


def tail(
    context: typer.Context,
    names: choosing.Sources = None,
    group: choosing.Groups = None,
    since: choosing.Since = None,
    until: choosing.Until = None,
    follow: Annotated[
        bool | None, Option("--follow/--no-follow", help="Default: on a terminal.")
    ] = None,
    pattern: choosing.Pattern = "",
    grep: choosing.Grep = "",
    exclude: choosing.Exclude = "",
    highlight: choosing.Highlight = "",
    where: choosing.Where = None,
    level: choosing.Level = "",
    task: choosing.Task = "",
    instance: choosing.Instance = "",
    stream: choosing.Stream = "",
    fields: choosing.Fields = "",
    local: choosing.InLocal = False,
    lines: Annotated[int | None, Option(min=1, help="Only the last N of the past.")] = None,
    look_back: choosing.LookBack = "15m",
    max_rate: choosing.MaxRate = None,
    bookmark: Annotated[
        Path | None, Option("--resume", help="Go on where FILE says, and keep it.")
    ] = None,
) -> None:
    """Print the lines of the sources in order of time, each once; all sources by default.

    Without --follow it ends when everything is read. Ctrl-C ends it with a summary.
    """
    # Long because it is the table of options, each used once: no part of it has a name.
    invocation, console = options.opened(context), options.opened(context).console
    said = Choice(
        *(tuple(names or ()), tuple(group or ()), pattern, grep, exclude, highlight, level, task),
        *(instance, stream, tuple(where or ()), since or "", fields),
    )
    choice = choosing.complete(said, invocation)
    if until is not None and follow:
        raise ConfigError("--until ends the reading and --follow does not; leave one out")
    following = until is None and (sys.stdout.isatty() if follow is None else follow)
    zone, now = choosing.zone(local), choosing.now()
    first, last = moments.span(choice.since or "10m", until, now=now, zone=zone)
    columns = log_lines.parse_fields(choice.fields or ",".join(log_lines.DEFAULT))
    selection, admits = choice.selection, choice.admits
    late = choosing.duration(look_back, "--look-back")
    groups = choosing.groups(choice, invocation)
    formats = log_lines.Lines(
        fields=columns,
        zone=zone,
        colour=sys.stdout.isatty() and not console.plain,
        highlight=expression(choice.highlight) if choice.highlight else None,
        width=max(len(group.source) for group in groups),
    )
    reading = Reading(
        groups,
        since=first,
        until=last,
        follow=following,
        selections={group.source: selection for group in groups},
        look_back=late,
        resume=resume.read(bookmark) if bookmark else {},
        remember=bookmark is not None,
    )
    stop = Stop()
    budget = Budget.of(invocation.clients.region, max_rate, following=following)
    screen = LogsScreen(
        console,
        Tail(
            invocation.clients.logs_once,
            reading,
            pace=Pace(budget, stopped=stop, sleep=stop.sleep, start=in_thread),
            renew=lambda: aws.connect(invocation.config.aws).logs_once,
        ),
        write=writer(console, groups, formats),
        admits=admits,
        last=lines,
        bookmark=bookmark,
        explain=lambda notice: stop.run(
            lambda: sources.explain(invocation.clients.logs, notice, groups, selection), []
        ),
    )
    if following:
        console.say(
            f"following {choosing.names_of(groups)} since {choice.since or '10m'}; an event "
            f"may come {format_duration(late)} late; Ctrl-C ends"
        )
    stop.listen()
    screen.run()
    stop.end()
    if following or stop.asked:
        screen.summary()
    if stop.asked:
        raise typer.Exit(stop.code)
    screen.check_missing(len(groups))
