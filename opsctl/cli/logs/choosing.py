"""The options with which every `logs` command selects sources and lines."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Annotated

import typer
from typer import Option

from opsctl.cli.moments import Local
from opsctl.cli.options import Invocation, require_one
from opsctl.config.model import LogSelection
from opsctl.config.sources import NAMES
from opsctl.errors import ConfigError, OpsError, nearest
from opsctl.logs import sources
from opsctl.logs.choice import Choice
from opsctl.logs.events import LogGroup
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Look

Sources = Annotated[
    list[str] | None,
    typer.Argument(metavar="SOURCE", help=f"{', '.join(NAMES)}, or the name of a selection; all."),
]
Groups = Annotated[
    list[str] | None,
    Option(
        "--group",
        metavar="GROUP",
        help="Log groups by name, with * and ?, or /REGEX/, instead of sources.",
    ),
]
Since = Annotated[
    str | None,
    Option(metavar="WHEN", help="How far back: 10m, 2h, yesterday, 13:10, 2026-11-23T10:00."),
]
SinceRelease = Annotated[
    int | None,
    Option("--since-release", metavar="N", help="From when release N began; 0 is the newest."),
]
Until = Annotated[str | None, Option(metavar="WHEN", help="Read up to this time, then end.")]
Pattern = Annotated[
    str, Option("--filter", metavar="PATTERN", help="CloudWatch's own filter pattern.")
]
Grep = Annotated[str, Option(metavar="REGEX", help="Only messages that match this regex.")]
Exclude = Annotated[str, Option(metavar="REGEX", help="No messages that match this regex.")]
Highlight = Annotated[
    str, Option(metavar="REGEX", help="Mark what matches this regex; leave nothing out.")
]
Where = Annotated[
    list[str] | None,
    Option(metavar="CONDITION", help="A condition on a field of JSON or logfmt: 'status>=500'."),
]
Task = Annotated[str, Option(metavar="ID", help="Only this task, by its id or a part.")]
Instance = Annotated[str, Option(metavar="ID", help="Only this EC2 instance.")]
Stream = Annotated[str, Option(metavar="STREAM", help="Only streams: PREFIX or /REGEX/.")]
Level = Annotated[str, Option(metavar="LEVEL", help="Only this level and worse.")]
Fields = Annotated[
    str, Option(metavar="NAMES", help="Columns of a line; `.name` is a field of JSON.")
]
InLocal = Annotated[bool, Option("--local/--utc", help="Zone of times, --since too.")]
LookBack = Annotated[str, Option(metavar="DURATION", help="How late an event may come.")]
MaxRate = Annotated[float | None, Option(min=0.1, metavar="RATE", help="Calls a second.")]


def complete(choice: Choice, invocation: Invocation) -> Choice:
    """Return the choice with the saved selection that it names. Raises ConfigError for a typo."""
    saved = invocation.config.logs.selections
    names = [name for name in choice.sources if name in saved]
    others = tuple(name for name in choice.sources if name not in saved)
    known = [*NAMES, *saved]
    require_sources(others, known)
    require_one({f"the source `{'`, `'.join(others)}`": others, "--group": choice.groups})
    if len(names) > 1:
        raise ConfigError(f"one selection at a time: {', '.join(names)}")
    said = replace(choice, sources=others)
    return said.over(_saved(saved[names[0]])) if names else said


def require_sources(names: Sequence[str], known: Sequence[str] = NAMES) -> None:
    """Raise ConfigError for an unknown source, with the nearest of the `known` names."""
    for name in names:
        if name not in NAMES:
            raise ConfigError(
                f"unknown log source `{name}`; choose {', '.join(known)}",
                hint=f"opsctl logs tail {nearest(name, known) or 'app stdout'}",
            )


def release(invocation: Invocation, number: int) -> Release:
    """Return the release with this number, 0 for the newest. Raises OpsError if there is none."""
    look = Look(frozenset({"releases"}), (), releases=1, numbers=(number,) if number else ())
    known = invocation.reader(look).require("releases").releases
    named = [one for one in known if one.number == number or not number]
    if not named:
        if not number:
            raise OpsError("there is no release yet", hint="opsctl update-tasks")
        raise OpsError(f"the ledger does not hold release {number}", hint="opsctl history")
    return named[-1]


def of_release(choice: Choice, invocation: Invocation, number: int) -> Choice:
    """Return the choice from the release's beginning on.

    Raises ConfigError for a second beginning.
    """
    if choice.since:
        raise ConfigError("--since and --since-release both say where to begin; leave one out")
    return replace(choice, since=release(invocation, number).begun.isoformat())


def groups(choice: Choice, invocation: Invocation) -> list[LogGroup]:
    """Return the chosen log groups. Raises ConfigError when there are none."""
    if choice.groups:
        return sources.matching(invocation.clients.logs, choice.groups)
    return sources.chosen(
        invocation.config.logs,
        choice.sources,
        task=bool(choice.task),
        instance=bool(choice.instance),
    )


def zone(local: bool) -> tzinfo:
    return Local() if local else UTC


def now() -> datetime:
    return datetime.now(UTC)


def names_of(groups: Sequence[LogGroup]) -> str:
    return ", ".join(group.source for group in groups)


def _saved(section: LogSelection) -> Choice:
    return Choice(
        sources=tuple(section.sources),
        groups=tuple(section.groups),
        pattern=section.filter,
        grep=section.grep,
        exclude=section.exclude,
        highlight=section.highlight,
        level=section.level,
        task=section.task,
        instance=section.instance,
        stream=section.stream,
        where=tuple(section.where),
        since=section.since,
        fields=section.fields,
    )
