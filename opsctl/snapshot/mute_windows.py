"""When the window of a mute rule ends that mutes alarms now. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Schedule.html
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d)\)")
_CRON = re.compile(r"cron\(([^()]+)\)")
_DURATION = re.compile(r"P(?=.)(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?)?")
_MINUTE = timedelta(minutes=1)
_LONGEST = timedelta(days=15)  # of a window
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
# minute, hour, day of the month, month, day of the week: the first and the last number, the names
_FIELDS: Sequence[tuple[int, int, Sequence[str]]] = (
    (0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (0, 7, _DAYS),
)  # fmt: skip


def end(schedule: Mapping[str, Any], now: datetime) -> datetime | None:
    """Return when the window around `now` ends; None if that cannot be told.

    That is so for a schedule whose windows follow each other without a gap, and for words that
    AWS's page does not explain.
    """
    length, zone = _length(schedule["Duration"]), _zone(schedule.get("Timezone") or "UTC")
    if length is None or zone is None:
        return None
    if at := _AT.fullmatch(schedule["Expression"]):
        return datetime.fromisoformat(at[1]).replace(tzinfo=zone).astimezone(UTC) + length
    cron = _CRON.fullmatch(schedule["Expression"])
    fields = _fields(cron[1].split()) if cron else None
    return _last(fields, now, length, zone) if fields and length <= _LONGEST else None


def _last(
    fields: Sequence[frozenset[int]], now: datetime, length: timedelta, zone: tzinfo
) -> datetime | None:
    """Return the end of the windows that overlap, from the one around `now` on."""
    minute = now.astimezone(UTC).replace(second=0, microsecond=0)
    last = None
    for start in (minute - _MINUTE * n for n in range(length // _MINUTE + 1)):
        if start + length > now and _begins(fields, start.astimezone(zone)):
            last = start + length
            break
    while last is not None and minute < last:
        minute += _MINUTE
        if minute - now > _LONGEST:
            return None
        if _begins(fields, minute.astimezone(zone)):
            last = minute + length
    return last


def _begins(fields: Sequence[frozenset[int]], at: datetime) -> bool:
    parts = (at.minute, at.hour, at.day, at.month, at.isoweekday() % 7)
    return all(part in field for part, field in zip(parts, fields, strict=True))


def _fields(words: Sequence[str]) -> Sequence[frozenset[int]] | None:
    if len(words) != len(_FIELDS):
        return None
    if words[2] != "*" and words[4] != "*":
        return None  # AWS does not say whether either day or both must match
    fields = [_numbers(word, *field) for word, field in zip(words, _FIELDS, strict=True)]
    known = [field for field in fields if field]
    return known if len(known) == len(_FIELDS) else None


def _numbers(text: str, first: int, last: int, names: Sequence[str]) -> frozenset[int]:
    """Return the numbers of one field, none if it cannot be read. Sunday is 0."""
    if text == "*":
        return frozenset(range(first, last + 1))
    numbers = set[int]()
    for part in text.upper().split(","):
        ends = [_number(one, first, names) for one in part.split("-", 1)]
        if any(one is None or not first <= one <= last for one in ends):
            return frozenset()
        low, high = (one for one in (ends[0], ends[-1]) if one is not None)
        if high < low:  # SAT-SUN
            high += 7 if names is _DAYS else 0
        numbers.update(range(low, high + 1))
    return frozenset(one % 7 for one in numbers) if names is _DAYS else frozenset(numbers)


def _number(text: str, first: int, names: Sequence[str]) -> int | None:
    if text in names:
        return first + names.index(text)
    return int(text) if text.isascii() and text.isdecimal() else None


def _length(duration: str) -> timedelta | None:
    lasts = _DURATION.fullmatch(duration)
    if lasts is None:
        return None
    days, hours, minutes = (int(part or 0) for part in lasts.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def _zone(name: str) -> tzinfo | None:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # imported here because few rules have another zone

    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None  # this machine has no such zone
