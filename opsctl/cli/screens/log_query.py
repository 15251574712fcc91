"""Show the rows of a query: a table where the terminal is wide enough, else one record per row."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

from opsctl.cli.screens.console import Console, printable
from opsctl.cli.screens.words import folded
from opsctl.logs.query import Progress, Rows

_GAP = 2
_LEAST = 30  # columns in which a long text can still be read
_LONGEST = 2000  # characters of a cell on a terminal


def show_progress(console: Console, progress: Progress) -> None:
    if console.terminal and progress.status != "Complete":
        console.say(f"{progress.status}: {progress.matched:,} of {progress.scanned:,} lines match")


def show_rows(console: Console, rows: Rows) -> None:
    for row in rows.rows:
        console.emit("query_row", **{"fields": dict(zip(rows.columns, row, strict=True))})
    if rows.columns and not console.json:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        cells = [[printable(" ".join(text.split())) for text in row] for row in rows.rows]
        for line in lines(rows.columns, cells, width):
            console.data(line)
    progress = rows.progress
    console.emit(
        "query",
        rows=len(rows.rows),
        matched=progress.matched,
        scanned=progress.scanned,
        bytes=progress.size,
        price_usd=round(progress.price, 6),
    )
    price = f"about ${progress.price:.4f}" if progress.price >= 0.0001 else "less than $0.0001"
    summary = (
        f"{len(rows.rows):,} rows; {progress.matched:,} of {progress.scanned:,} lines match; "
        f"{progress.size / 1e6:,.1f} MB read, {price}"
    )
    for line in folded(summary):
        console.say(line)


def lines(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None
) -> Iterator[str]:
    """Yield a table whose widest column is folded, or records where that would be too narrow.

    Without a width every row is one line with everything in it.
    """
    if width is None:
        # One long message does not pad all others to its length.
        yield from _table(columns, rows, [min(one, 100) for one in _widths(columns, rows)])
        return
    rows = [[_short(cell) for cell in row] for row in rows]
    widths = _widths(columns, rows)
    widest = widths.index(max(widths))
    room = width - sum(widths) + widths[widest] - _GAP * (len(widths) - 1)
    if widths[widest] <= room:
        yield from _table(columns, rows, widths)
    elif room >= _LEAST:
        widths[widest] = room
        yield from _table(columns, [*_folded(rows, widest, room)], widths)
    else:
        yield from _records(columns, rows, width)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(columns, *rows, strict=True)]


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]
) -> Iterator[str]:
    for row in (columns, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield (" " * _GAP).join(cells).rstrip()


def _folded(rows: Sequence[Sequence[str]], column: int, room: int) -> Iterator[Sequence[str]]:
    for row in rows:
        first, *more = textwrap.wrap(row[column], room) or [""]
        yield [*row[:column], first, *row[column + 1 :]]
        for line in more:
            yield [line if index == column else "" for index in range(len(row))]


def _records(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    label = max(map(len, columns)) + _GAP
    room = max(10, width - label)
    for index, row in enumerate(rows):
        if index:
            yield ""
        for name, cell in zip(columns, row, strict=True):
            for line in textwrap.wrap(cell, room) or [""]:
                yield f"{name:<{label}}{line}".rstrip()
                name = ""


def _short(cell: str) -> str:
    if len(cell) <= _LONGEST:
        return cell
    return f"{cell[:_LONGEST]}… ({len(cell):,} characters; `--json` has all)"
