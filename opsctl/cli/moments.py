"""Parse times as people type them: `10m`, `1h30m`, `13:10`, `yesterday`, ISO 8601."""

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

from opsctl.config.duration import parse_duration
from opsctl.errors import ConfigError

_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_HINT = "write for instance 10m, 1h30m, 13:10, yesterday or 2026-11-23T10:00"
_EPOCH = datetime.fromtimestamp(0, UTC)


class Local(tzinfo):
    """This machine's zone, with the offset of each date (`datetime.astimezone` fixes one)."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, moment: datetime | None) -> timedelta | None:
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: datetime) -> datetime:
        there = moment.replace(tzinfo=UTC).astimezone()
        here = there.replace(tzinfo=self)
        # In an hour that occurs twice, the second one has `fold`.
        return here if here.utcoffset() == there.utcoffset() else here.replace(fold=1)


def parse_moment(text: str, *, now: datetime, zone: tzinfo) -> datetime | timedelta:
    """Return how long ago, or a moment, in `zone` if it has none. Raises ConfigError."""
    word = text.strip().lower()
    midnight = datetime.combine(now.astimezone(zone).date(), time(), zone)
    words = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if word in words:
        return words[word]
    try:
        ago = parse_duration(word)
    except ValueError:
        pass
    else:
        if ago > now - _EPOCH:
            raise ConfigError(f"`{text}` ago is before 1970", hint=_HINT)
        return ago
    try:
        if _CLOCK.fullmatch(word):
            hour, minute, second = [*map(int, word.split(":")), 0][:3]
            today = midnight.replace(hour=hour, minute=minute, second=second)
            return today if today <= now else today - timedelta(days=1)
        point = datetime.fromisoformat(text.strip())
        point = point if point.tzinfo else point.replace(tzinfo=zone)
        if point < _EPOCH:
            raise ValueError
    except (ValueError, OverflowError, OSError):
        raise ConfigError(f"`{text}` is not a point in time", hint=_HINT) from None
    return point


def moment(text: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Return the parsed text as a moment."""
    parsed = parse_moment(text, now=now, zone=zone)
    return now - parsed if isinstance(parsed, timedelta) else parsed


def span(
    since: str, until: str | None, *, now: datetime, zone: tzinfo
) -> tuple[datetime | timedelta, datetime | None]:
    """Return (begin, end). Raises ConfigError for a span that contains nothing."""
    first = parse_moment(since, now=now, zone=zone)
    start = now - first if isinstance(first, timedelta) else first
    end = None if until is None else moment(until, now=now, zone=zone)
    if start > now:
        raise ConfigError(f"`--since {since}` lies in the future")
    if end is not None and end <= start:
        raise ConfigError(f"`--until {until}` is not after `--since {since}`")
    return first, end


def pause(text: str, option: str) -> float:
    """Return the seconds of a duration; a number alone is seconds. Raises ConfigError."""
    return duration(f"{text}s" if text.isdecimal() else text, option).total_seconds()


def duration(text: str, option: str) -> timedelta:
    """Parse a duration. Raises ConfigError, which names the option; also for zero."""
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}", hint=f"for instance: {option} 20m") from error
    if not length:
        raise ConfigError(f"{option}: `{text}` is no time at all")
    return length
