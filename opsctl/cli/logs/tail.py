"""`opsctl logs tail`: print the lines of the sources, and follow them."""

import sys
from collections.abc import Callable, Sequence
from datetime import timedelta, tzinfo
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
from opsctl.logs import aws_events, resume, sources
from opsctl.logs.aws_events_feed import AwsEvents
from opsctl.logs.budget import Budget
from opsctl.logs.choice import Choice, expression
from opsctl.logs.events import LogEvent, LogGroup, Selection
from opsctl.logs.feed import Feed
from opsctl.logs.identity import Zones
from opsctl.logs.live import MOST_GROUPS, Live
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
    with_events: Annotated[
        str, Option("--with", metavar="events", help="Also what AWS did: tasks, targets, stacks…")
    ] = "",
    since_release: choosing.SinceRelease = None,
    live: Annotated[
        bool, Option("--live", help="Have lines pushed at once (Live Tail, billed by the minute).")
    ] = False,
    lines: Annotated[
        int | None, Option(min=1, metavar="N", help="Only the last N past lines.")
    ] = None,
    look_back: choosing.LookBack = "15m",
    max_rate: choosing.MaxRate = None,
    bookmark: Annotated[
        Path | None,
        Option(
            "--resume", metavar="FILE", help="Continue where FILE says, and keep FILE up to date."
        ),
    ] = None,
) -> None:
    """Print the lines of the sources in order of time, each once; all sources by default.

    Without --follow it ends when everything is read. Ctrl-C ends it with a summary.
    """
    # Long because it is the table of options, each used once.
    invocation, console = options.opened(context), options.opened(context).console
    said = Choice(
        *(tuple(names or ()), tuple(group or ()), pattern, grep, exclude, highlight, level, task),
        *(instance, stream, tuple(where or ()), since or "", fields),
    )
    choice = choosing.complete(said, invocation)
    if until is not None and follow:
        raise ConfigError("--until ends the reading and --follow does not; leave one out")
    if with_events not in ("", "events"):
        raise ConfigError(f"--with takes `events`, not `{with_events}`")
    kinds = aws_events.KINDS if with_events else ()
    following = until is None and (sys.stdout.isatty() if follow is None else follow)
    if live and not following:
        raise ConfigError("--live follows what is new; without --follow there is nothing to push")
    zone, now = choosing.zone(local), choosing.now()
    if since_release is not None:
        choice = choosing.of_release(choice, invocation, since_release)
    first, last = moments.span(choice.since or "10m", until, now=now, zone=zone)
    columns = log_lines.parse_fields(choice.fields or ",".join(log_lines.DEFAULT))
    selection, admits = choice.selection, _with_aws_events(choice.admits)
    late = moments.duration(look_back, "--look-back")
    groups = choosing.groups(choice, invocation)
    names_shown = [*(group.source for group in groups), *kinds]
    formats = _formats(invocation, choice, columns, zone, names_shown)
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
    feeds: list[Feed] = [AwsEvents(invocation.quick_reader)] if kinds else []
    if live:
        feeds.append(_live(invocation, groups, selection, late))
    stop = Stop(invocation.sleep, invocation.clock)
    budget = Budget.of(invocation.clients.region, max_rate, following=following)
    screen = LogsScreen(
        console,
        Tail(
            invocation.clients.logs_once,
            reading,
            pace=Pace(
                budget, now=invocation.clock, stopped=stop, sleep=stop.sleep, start=in_thread
            ),
            renew=lambda: aws.connect(invocation.config.aws).logs_once,
            feeds=feeds,
        ),
        write=writer(console, groups, formats),
        admits=admits,
        last=lines,
        following=following,
        bookmark=bookmark,
        explain=lambda notice: stop.run(
            # Fewer retries: an explanation is not worth as long a wait as the lines.
            lambda: sources.explain(
                invocation.quick_reader.clients.logs, notice, groups, selection
            ),
            [],
        ),
    )
    if following:
        console.say(
            f"following {choosing.names_of(groups)} since {choice.since or '10m'}; an event "
            f"may come {format_duration(late)} late; Ctrl-C ends"
        )
    _run(screen, stop, len(groups), following=following)


def _formats(
    invocation: options.Invocation,
    choice: Choice,
    columns: Sequence[str],
    zone: tzinfo,
    names: Sequence[str],
) -> log_lines.Lines:
    """How a line is written; `names` share a column."""
    return log_lines.Lines(
        fields=columns,
        zone=zone,
        colour=sys.stdout.isatty() and not invocation.console.plain,
        highlight=expression(choice.highlight) if choice.highlight else None,
        zones=Zones(invocation.quick_reader) if "zone" in columns else lambda stream: "",
        width=max(map(len, names)),
    )


def _run(screen: LogsScreen, stop: Stop, sources: int, *, following: bool) -> None:
    stop.listen()
    screen.run()
    stop.end()
    if following or stop.requested:
        screen.summary()
    if stop.requested:
        raise typer.Exit(stop.code)
    screen.check_missing(sources)


def _with_aws_events(
    admits: Callable[[LogEvent], bool] | None,
) -> Callable[[LogEvent], bool] | None:
    """Let events of AWS pass:

    `--with` asks for them, and conditions on lines do not concern them.
    """
    if admits is None:
        return None
    return lambda event: event.source in aws_events.KINDS or admits(event)


def _live(
    invocation: options.Invocation,
    groups: Sequence[LogGroup],
    selection: Selection,
    look_back: timedelta,
) -> Live:
    if len(groups) > MOST_GROUPS:
        raise ConfigError(f"--live pushes at most {MOST_GROUPS} log groups, not {len(groups)}")
    logs = invocation.clients.logs
    return Live(
        logs,
        groups,
        selection,
        arns=lambda: sources.arns(logs, groups),
        look_back=int(look_back.total_seconds() * 1000),
    )
