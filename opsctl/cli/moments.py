"""Points in time as people type them: `10m`, `1h30m`, `13:10`, `yesterday`, ISO 8601."""

import re
from datetime import datetime, time, timedelta, tzinfo

from opsctl.config.duration import parse_duration
from opsctl.errors import ConfigError

_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


def parse_moment(text: str, *, now: datetime, zone: tzinfo) -> datetime | timedelta:
    """How long ago, or a moment; one without a zone is in `zone`."""
    word = text.strip().lower()
    midnight = datetime.combine(now.astimezone(zone).date(), time(), zone)
    words = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if word in words:
        return words[word]
    try:
        return parse_duration(word)
    except ValueError:
        pass
    try:
        if _CLOCK.fullmatch(word):
            hour, minute, second = [*map(int, word.split(":")), 0][:3]
            today = midnight.replace(hour=hour, minute=minute, second=second)
            return today if today <= now else today - timedelta(days=1)
        point = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(
            f"`{text}` is not a point in time",
            hint="write for instance 10m, 1h30m, 13:10, yesterday or 2026-11-23T10:00",
        ) from None
    return point if point.tzinfo else point.replace(tzinfo=zone)


def moment(text: str, *, now: datetime, zone: tzinfo) -> datetime:
    """The same as a point in time."""
    parsed = parse_moment(text, now=now, zone=zone)
    return now - parsed if isinstance(parsed, timedelta) else parsed


def duration(text: str, option: str) -> timedelta:
    """Raises ConfigError that names the option."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}", hint=f"for instance: {option} 20m") from error
