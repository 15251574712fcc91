from datetime import UTC, datetime, timedelta, timezone

import pytest

from opsctl.cli.moments import moment, parse_moment
from opsctl.errors import ConfigError

NOW = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)
EAST = timezone(timedelta(hours=3))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10m", timedelta(minutes=10)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("now", NOW),
        ("today", datetime(2026, 11, 23, tzinfo=UTC)),
        ("Yesterday", datetime(2026, 11, 22, tzinfo=UTC)),
        ("13:10", datetime(2026, 11, 23, 13, 10, tzinfo=UTC)),
        ("13:10:05", datetime(2026, 11, 23, 13, 10, 5, tzinfo=UTC)),
        ("22:00", datetime(2026, 11, 22, 22, 0, tzinfo=UTC)),  # not yet: so yesterday's
        ("2026-11-23T10:00", datetime(2026, 11, 23, 10, 0, tzinfo=UTC)),
        ("2026-11-23T10:00+03:00", datetime(2026, 11, 23, 7, 0, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
    ],
)
def test_moments_as_people_type_them(text: str, meant: datetime | timedelta) -> None:
    assert parse_moment(text, now=NOW, zone=UTC) == meant


def test_a_time_without_a_zone_is_in_the_zone_of_the_lines() -> None:
    # 21:30 in UTC is half past midnight of the 24th three hours to the east.
    assert parse_moment("today", now=NOW, zone=EAST) == datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
    assert parse_moment("00:10", now=NOW, zone=EAST) == datetime(2026, 11, 23, 21, 10, tzinfo=UTC)


def test_how_long_ago_is_a_point_in_time_too() -> None:
    assert moment("1h", now=NOW, zone=UTC) == datetime(2026, 11, 23, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "10", "soon", "25:00", "2026-13-01"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_moment(text, now=NOW, zone=UTC)
    assert "yesterday" in str(caught.value.hint)
