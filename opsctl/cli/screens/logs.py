"""The loop of `logs tail`: print a reading's events to stdout and messages to stderr."""

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from opsctl.cli.screens.console import Console, encodable, holds_everything
from opsctl.cli.screens.log_lines import Lines, as_json
from opsctl.config.duration import format_duration
from opsctl.errors import OpsError
from opsctl.logs import resume
from opsctl.logs.events import LogEvent, LogGroup, Notice
from opsctl.logs.joined import Block, any_goes_on, joined, whole
from opsctl.logs.sources import LogGroupStatus
from opsctl.logs.tail import Tail

# How much longer than a write of the bookmark takes is the time to the next: a long look-back has
# many ids.
_SAVE_SHARE = 20
_SAVE_IDLE = 5.0  # seconds between two writes while nothing is printed
_SOURCES = ("SOURCE", "GROUP", "EXISTS", "KEPT", "NEWEST STREAM", "LAST EVENT")


class LogsScreen:
    def __init__(
        self,
        console: Console,
        reading: Tail,
        *,
        write: Callable[[Block], str],
        admits: Callable[[LogEvent], bool] | None,
        last: int | None,
        following: bool,
        bookmark: Path | None,
        explain: Callable[[Notice], Sequence[str]],
    ) -> None:
        self._console = console
        self._reading = reading
        self._write = write
        self._admits = admits
        self._past: deque[Block] | None = None if last is None else deque(maxlen=last)
        # Only who follows wants the lines that come after the last ones of the past.
        self._following = following
        self._bookmark = bookmark
        self._explain = explain
        self._save_at = 0.0
        self._saved = 0  # lines that had been printed when the bookmark was written
        self._missing: dict[str, str] = {}
        self._printed = 0

    def run(self) -> None:
        """Print until the reading ends. The bookmark is written after the lines were flushed."""
        for item in self._reading.run():
            if not isinstance(item, Notice):
                self._events(item)
            elif item.kind == "caught-up":
                self._caught_up()
            else:
                self._notice(item)
            self._save()
        self._release()
        self._save(last=True)

    def summary(self) -> None:
        totals = self._reading.totals
        if self._console.json:
            fields: Mapping[str, float] = {
                "lines": self._printed,
                "read": totals.events,
                "late": totals.late,
                "calls": totals.calls,
                "throttled": totals.throttled,
                "behind_seconds": round(totals.behind, 1),
            }
            self._console.emit("summary", **fields)
        self._console.say(
            f"{self._printed:,} lines, {totals.late:,} late, "
            f"{totals.throttled:,} of {totals.calls:,} calls throttled, "
            f"{totals.behind:.0f} s behind"
        )

    def check_missing(self, sources: int) -> None:
        """Raise OpsError when not a single group exists."""
        if len(self._missing) == sources:
            raise OpsError(
                "; ".join(self._missing.values()),
                hint="opsctl logs sources; to make them: opsctl ecs up",
            )

    def _events(self, events: Sequence[LogEvent]) -> None:
        # Most batches have no continuation lines, so they are not searched twice.
        blocks = joined(events) if any_goes_on(events) else [[event] for event in events]
        if self._admits is not None:
            blocks = [block for block in blocks if self._admits(whole(block))]
        if self._past is not None:
            self._past.extend(blocks)
        else:
            self._print(blocks)

    def _caught_up(self) -> None:
        if self._following:
            self._release()
        if not self._printed and not self._past:
            for line in self._explain(Notice("caught-up", None, "")):
                self._console.say(line)

    def _release(self) -> None:
        """Print the last lines of the past; what comes after them is printed at once."""
        if self._past is not None:
            past, self._past = self._past, None
            self._print(past)

    def _print(self, blocks: Sequence[Block]) -> None:
        if blocks:
            self._printed += sum(map(len, blocks))
            sys.stdout.write(encodable("\n".join(map(self._write, blocks)) + "\n", sys.stdout))
            sys.stdout.flush()

    def _notice(self, notice: Notice) -> None:
        if notice.kind == "missing" and notice.source is not None:
            self._missing[notice.source] = notice.text
        elif notice.kind == "found" and notice.source is not None:
            self._missing.pop(notice.source, None)
        where = f"{notice.source}: " if notice.source else ""
        (self._console.say if notice.kind == "progress" else self._console.warn)(
            where + notice.text
        )
        for line in self._explain(notice):
            self._console.say(line)

    def _save(self, *, last: bool = False) -> None:
        if self._bookmark is None:
            return
        began = time.monotonic()
        if last or began >= self._save_at + (_SAVE_IDLE if self._saved == self._printed else 0):
            resume.write(self._bookmark, self._reading.bookmarks())
            ended = time.monotonic()
            self._save_at = ended + _SAVE_SHARE * (ended - began)
            self._saved = self._printed


def writer(console: Console, groups: Sequence[LogGroup], lines: Lines) -> Callable[[Block], str]:
    """Return how a block is written: each event as JSON, or as lines."""
    if console.json:
        names = {group.source: group.name for group in groups}
        ascii = not holds_everything(sys.stdout)
        return lambda block: "\n".join(
            [as_json(event, names.get(event.source), ascii=ascii) for event in block]
        )

    def write(block: Block) -> str:
        if len(block) == 1:
            return lines.line(block[0])
        return "\n".join([lines.line(block[0]), *map(lines.more, block[1:])])

    return write


def show_sources(console: Console, statuses: Sequence[LogGroupStatus], now: datetime) -> None:
    """Show one row for each source: its group, whether it exists, its newest stream and event."""
    rows = []
    for status in statuses:
        group, days, newest = status.group, status.retention_days, status.newest
        console.emit(
            "log_source",
            source=group.source,
            group=group.name,
            exists=status.exists,
            retention_days=days,
            stored_bytes=status.stored_bytes,
            newest_stream=status.stream or None,
            newest_event=newest,
        )
        kept = f"{days} d" if days else "-"
        age = f"{format_duration(now - newest)} ago" if newest else "-"
        exists = "yes" if status.exists else "no"
        rows.append((group.source, group.name, exists, kept, status.stream or "-", age))
    if not console.json:
        console.table(_SOURCES, rows, fit=True)
