"""Show causes, the same way for every command: what is wrong, the evidence, what to do."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import History
from opsctl.cli.screens.console import Console
from opsctl.cli.screens.words import step
from opsctl.plural import counted

_INDENT = 13
_SURE = {"certain": "bad", "likely": "warn", "possible": "faint"}
_AT_FAILURE = 3  # causes that a failed command shows; `why` shows all
_ENDLESS = 2000
_OWN = "this command"
_REPEATED = 50  # characters of a quote that are not said twice


def show_failure(console: Console, causes: Sequence[Cause], error: str) -> None:
    """Show causes before a failed command's `error`, but not its own sentence."""
    present = [cause for cause in causes if not cause.over and cause.hinders][:_AT_FAILURE]
    if not any(_shows_more(cause) for cause in present):
        return
    for number, cause in enumerate(present, 1):
        emit(console, cause, number)
        for line in block(console, cause, number, error=error):
            console.say(line)


def emit(console: Console, cause: Cause, number: int) -> None:
    console.emit(
        "cause",
        rank=number,
        id=cause.id,
        sentence=cause.sentence,
        confidence=cause.confidence,
        hinders=cause.hinders,
        over=cause.over,
        count=cause.count,
        evidence=[
            {"time": one.time, "source": one.source, "quote": one.quote} for one in cause.evidence
        ],
        next=console.hint(cause.next) if cause.next else None,
    )


def block(console: Console, cause: Cause, number: int, *, error: str = "") -> Iterator[str]:
    """Yield the lines of one cause: number, certainty, sentence, evidence, next command.

    The sentence and the command are left out if the `error` that follows says them.
    """
    below = bool(error) and cause.sentence in error
    sure = "over" if cause.over else cause.confidence
    head = f"{number:<2} {console.style(_SURE[cause.confidence], f'{sure:<9}')} "
    first, *rest = _wrapped("the error below:" if below else cause.sentence)
    yield f"{head}{console.style('strong', first)}"
    yield from (f"{'':{_INDENT}}{line}" for line in rest)
    own = [one for one in cause.evidence if not _echo(one, cause)]
    for one in own or cause.evidence:
        yield from _evidence(replace(one, quote=_new(one.quote, cause.sentence)))
    if cause.next and not below:
        first, *rest = step(console.hint(cause.next), width() - _INDENT - 2)
        yield f"{'':{_INDENT}}→ {first}"
        yield from (f"{'':{_INDENT}}  {line}" for line in rest)


def looked_at(history: History) -> str:
    """Return for example: `looked at: 4 stacks, 11 tasks, 2 instances · not readable: alarms`"""
    now = history.now
    counts = [
        (len(now.stacks), "stack"),
        (len(history.tasks), "task"),
        (len(now.targets), "target"),
        (len(now.instances), "instance"),
        (len(now.alarms), "alarm"),
        (sum(map(len, now.lines.values())) + sum(map(len, now.recent_lines.values())), "log line"),
        (len(history.stack_events), "stack event"),
    ]
    seen = ", ".join(counted(n, what) for n, what in counts if n)
    unread = ", ".join(sorted({one.part.replace("_", " ") for one in now.unread}))
    none = (
        ""
        if now.blind or not now.look.parts
        else "stacks, service, instances, cache: none is there"
    )
    return f"looked at: {seen or none or 'nothing'}" + (
        f" · not readable: {unread}" if unread else ""
    )


def width() -> int:
    """Return the terminal's width. Files and pipes get whole sentences."""
    if not (sys.stdout.isatty() or sys.stderr.isatty()) and "COLUMNS" not in os.environ:
        return _ENDLESS
    return max(shutil.get_terminal_size((80, 24)).columns, 60)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, width() - _INDENT, break_on_hyphens=False) or [""]


def _new(quote: str, sentence: str) -> str:
    """Return the quote without its end if the sentence of the cause has the same words."""
    text = quote.rstrip("…. ")
    start = next((at for at in range(len(text)) if text[at:] in sentence), len(text))
    if len(text) - start < _REPEATED:
        return quote
    lead = text[:start].rstrip(" :")
    return f"{lead}: the same words" if lead else "the same words"


def _echo(one: Evidence, cause: Cause) -> bool:
    """Return whether this only says that the command ended with the sentence of the cause."""
    return one.source == _OWN and one.quote in cause.sentence


def _evidence(one: Evidence) -> Iterator[str]:
    time = _time(one.time)
    lead = f"{time:<8}  {one.source}  " if time else f"{one.source}  "
    lines = textwrap.wrap(
        f"{lead}{one.quote}",
        width() - _INDENT,
        subsequent_indent=" " * min(len(time) + 2 if time else 2, 10),
        break_on_hyphens=False,
    )
    yield from (f"{'':{_INDENT}}{line}" for line in lines)


def _time(time: datetime | None) -> str:
    return f"{time:%H:%M:%S}" if time else ""


def _shows_more(cause: Cause) -> bool:
    return any(one.source != _OWN for one in cause.evidence)
