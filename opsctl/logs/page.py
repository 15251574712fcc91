"""Return the events of a FilterLogEvents answer as rows, however odd the answer is. Pure."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

# Timestamp, ingestion time, stream, id, message.
Row = tuple[int, int, str, str, str]
_FIELDS = ("timestamp", "ingestionTime", "logStreamName", "eventId", "message")
_KINDS: list[set[type]] = [{int}, {int}, {str}, {str}, {str}]
_row = itemgetter(*_FIELDS)
LATEST = 253_402_300_799_000  # the greatest value that a date can have


def rows(answer: Mapping[str, Any]) -> Sequence[Row]:
    """Return the rows in the answer's order.

    Missing fields are replaced by the nearest sensible value.
    """
    events = answer.get("events") or ()
    if not events:
        return ()
    try:
        read = [*map(_row, events)]
        columns = [*zip(*read, strict=True)]
        kinds = [{*map(type, column)} for column in columns]
        if kinds == _KINDS and min(columns[0]) >= 0 and max(columns[0]) <= LATEST:
            return read
    except (KeyError, TypeError):
        pass  # at least one event is odd
    return [*_tidied(events)]


def _tidied(events: Iterable[Any]) -> Iterable[Row]:
    for event in events:
        if not isinstance(event, Mapping):
            continue
        timestamp = _time(event.get("timestamp"), 0)
        stream, message = (_text(event.get(name)) for name in ("logStreamName", "message"))
        known = f"{timestamp} {stream} {message}"
        # Without an id, equal events count as the same.
        id = event.get("eventId") or f"{zlib.crc32(known.encode('utf-8', 'replace')):08x} {known}"
        yield timestamp, _time(event.get("ingestionTime"), timestamp), stream, _text(id), message


def _time(value: Any, otherwise: int) -> int:
    if not isinstance(value, (int, float)) or not 0 < value <= LATEST:
        return otherwise
    return int(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
