"""`opsctl logs`: follow the four log sources, and list them."""

import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from opsctl import aws
from opsctl.cli import moments, options
from opsctl.cli.screens import log_lines
from opsctl.cli.screens.logs import Printer, Stop
from opsctl.config.duration import format_duration, parse_duration
from opsctl.errors import ConfigError
from opsctl.logs import message, resume, sources
from opsctl.logs.budget import Budget, quota
from opsctl.logs.events import LogEvent, LogSource, Notice, Selection
from opsctl.logs.tail import Pace, Tail

app = options.group("Follow and list the four log sources: app, stdout, ecs, agent.")


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
    """Print the lines of the sources in order of time, each once; all four by default.

    Without --follow it ends when everything is read. Ctrl-C ends it with a summary.
    """
    # Long because it is the table of options, each used once: no part of it has a name.
    invocation = options.opened(context)
    zone = (datetime.now().astimezone().tzinfo if local else None) or UTC
    now = datetime.now(UTC)
    if until is not None and follow:
        raise ConfigError("--until ends the reading and --follow does not; leave one out")
    following = until is None and (sys.stdout.isatty() if follow is None else follow)
    picked = sources.chosen(invocation.config.logs, names or _fitting(task, instance))
    selection = _selection(pattern, stream, task, instance)
    wanted = _wanted(grep, exclude, level)
    write = _writer(invocation, picked, log_lines.parse_fields(fields), zone)
    stop = Stop()
    reading = Tail(
        invocation.clients.logs_once,
        picked,
        since=moments.parse_moment(since, now=now, zone=zone),
        until=None if until is None else moments.moment(until, now=now, zone=zone),
        follow=following,
        selections={source.name: selection for source in picked},
        look_back=_duration(look_back),
        pace=Pace(_budget(invocation.clients.region, max_rate, following), stopped=stop),
        renew=lambda: aws.connect(invocation.config.aws).logs_once,
        resume=resume.read(bookmark) if bookmark else None,
    )
    printer = Printer(
        invocation.console,
        reading,
        write=write,
        wanted=wanted,
        last=lines,
        bookmark=bookmark,
        explain=lambda notice: _explained(invocation, notice, picked, selection),
    )
    if following:
        invocation.console.say(
            f"following {', '.join(source.name for source in picked)} since {since}; an event "
            f"may come {format_duration(_duration(look_back))} late; Ctrl-C ends"
        )
    stop.listen()
    printer.run()
    if following or stop.asked:
        printer.summary()
    if stop.asked:
        raise typer.Exit(130)
    printer.check_missing(len(picked))


@app.command("sources")
def list_sources(context: typer.Context) -> None:
    """List the four sources: their groups, whether they exist, and their newest stream.

    CloudWatch learns of new streams and times with a delay of up to an hour.
    """
    invocation = options.opened(context)
    now, rows = datetime.now(UTC), []
    for source in sources.chosen(invocation.config.logs, []):
        status = sources.status(invocation.clients.logs, source)
        invocation.console.emit(
            "log_source",
            source=source.name,
            group=source.group,
            exists=status.exists,
            retention_days=status.retention_days,
            stored_bytes=status.stored_bytes,
            newest_stream=status.stream or None,
            newest_event=status.newest,
        )
        rows.append(
            (
                source.name,
                source.group,
                "yes" if status.exists else "no",
                f"{status.retention_days} d" if status.retention_days else "-",
                status.stream or "-",
                f"{format_duration(now - status.newest)} ago" if status.newest else "-",
            )
        )
    if not invocation.console.json:
        header = ("SOURCE", "GROUP", "EXISTS", "KEPT", "NEWEST STREAM", "LAST EVENT")
        invocation.console.table(header, rows)


def _writer(
    invocation: options.Invocation,
    picked: Sequence[LogSource],
    fields: Sequence[str],
    zone: tzinfo,
) -> Callable[[LogEvent], str]:
    if invocation.console.json:
        groups = {source.name: source.group for source in picked}
        return lambda event: log_lines.as_json(event, groups[event.source])
    colour = sys.stdout.isatty() and not invocation.console.plain
    return log_lines.Lines(fields=fields, zone=zone, colour=colour).line


def _fitting(task: str | None, instance: str | None) -> Sequence[str]:
    """The sources that have a stream per task, or per instance."""
    return ["app", "stdout"] if task else ["ecs", "agent"] if instance else []


def _selection(
    pattern: str, stream: str | None, task: str | None, instance: str | None
) -> Selection:
    containing = tuple(part for part in (task, instance) if part)
    if stream and len(stream) > 1 and stream.startswith("/") and stream.endswith("/"):
        return Selection(pattern, regex=_regex(stream[1:-1]), containing=containing)
    return Selection(pattern, prefix=stream or "", containing=containing)


def _wanted(
    grep: str | None, exclude: str | None, level: str | None
) -> Callable[[LogEvent], bool] | None:
    if grep is exclude is level is None:
        return None
    only, never = _regex(grep or ""), _regex(exclude) if exclude else None
    if level is not None and not message.known(level):
        raise ConfigError(f"`{level}` is no level; there are {', '.join(message.LEVELS)}")
    least = message.LEVELS[message.known(level)] if level else -1

    def wanted(event: LogEvent) -> bool:
        return (
            only.search(event.message) is not None
            and (never is None or never.search(event.message) is None)
            and (least < 0 or message.LEVELS.get(message.read(event.message).level, -1) >= least)
        )

    return wanted


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigError(f"`{text}` is not a regular expression: {error}") from error


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _budget(region: str, max_rate: float | None, following: bool) -> Budget:
    """A follower leaves half of the quota to others; what ends by itself may use it all."""
    if max_rate is not None:
        return Budget(max_rate)
    return Budget(quota(region) / 2) if following else Budget(quota(region), burst=50)


def _explained(
    invocation: options.Invocation,
    notice: Notice,
    picked: Sequence[LogSource],
    selection: Selection,
) -> list[str]:
    """What there is instead of a missing group or stream."""
    logs = invocation.clients.logs
    if notice.kind == "missing":
        group = next(source.group for source in picked if source.name == notice.source)
        near = sources.near(logs, group)
        return [f"  groups there are: {', '.join(near)}" if near else "  there are no log groups"]
    if notice.kind != "caught-up" or not selection.narrow:
        return []
    found = {
        source.name: [name for name, _ in sources.newest_streams(logs, source.group, 3)]
        for source in picked
    }
    return [
        f"no event of such a stream in {name}; newest: {', '.join(streams) or 'no stream at all'}"
        for name, streams in found.items()
    ]
