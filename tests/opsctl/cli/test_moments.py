import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from opsctl.cli.moments import Local, moment, parse_moment, pause, span
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


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Written out as POSIX has it: the machine may have no database of zones.
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_a_local_time_follows_the_rules_of_its_own_date() -> None:
    zone = Local()
    # In November's winter time, a moment in October's summer time.
    assert parse_moment("2026-10-20T10:00", now=NOW, zone=zone) == datetime(
        2026, 10, 20, 8, 0, tzinfo=UTC
    )
    assert parse_moment("2026-11-20T10:00", now=NOW, zone=zone) == datetime(
        2026, 11, 20, 9, 0, tzinfo=UTC
    )
    after = datetime(2026, 10, 25, 12, 0, tzinfo=UTC)  # clocks went back at 01:00 UTC
    assert parse_moment("yesterday", now=after, zone=zone) == datetime(
        2026, 10, 23, 22, 0, tzinfo=UTC
    )
    assert parse_moment("00:30", now=after, zone=zone) == datetime(2026, 10, 24, 22, 30, tzinfo=UTC)


@pytest.mark.usefixtures("berlin")
def test_the_hour_that_comes_twice_is_shown_with_both_its_offsets() -> None:
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    zone = Local()
    assert first.astimezone(zone).isoformat() == "2026-10-25T02:30:00+02:00"
    assert second.astimezone(zone).isoformat() == "2026-10-25T02:30:00+01:00"
    assert second.astimezone(zone) - first.astimezone(zone).astimezone(UTC) == timedelta(hours=1)


def test_a_span_that_holds_nothing_is_refused() -> None:
    for since, until in (("1h", "2h"), ("1h", "1h"), ("2030-01-01", None)):
        with pytest.raises(ConfigError, match="is not after|lies in the future"):
            span(since, until, now=NOW, zone=UTC)
    assert span("1h", "5m", now=NOW, zone=UTC) == (
        timedelta(hours=1),
        NOW - timedelta(minutes=5),
    )


@pytest.mark.parametrize(
    "text",
    ["", "10", "soon", "25:00", "2026-13-01", "999999999999d", "60000d", "0001-01-01", "9" * 400],
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_moment(text, now=NOW, zone=UTC)
    assert "yesterday" in str(caught.value.hint)


def test_a_pause_is_a_duration_or_seconds() -> None:
    assert [pause(text, "--every") for text in ("5", "5s", "2m")] == [5, 5, 120]
    for text in ("0", "soon", "-5"):
        with pytest.raises(ConfigError, match="--every"):
            pause(text, "--every")
