from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.snapshot.mute_windows import end

NOW = datetime(2026, 11, 26, 12, 10, 30, tzinfo=UTC)  # a Thursday


def ends(expression: str, lasts: str, zone: str = "UTC", now: datetime = NOW) -> str | None:
    at = end({"Expression": expression, "Duration": lasts, "Timezone": zone}, now)
    return f"{at:%d %H:%M}" if at else None


@pytest.mark.parametrize(
    ("expression", "lasts", "until"),
    [
        ("at(2026-11-26T12:01)", "PT15M", "26 12:16"),
        ("cron(0 12 * * *)", "PT4H", "26 16:00"),
        ("cron(0 2 * * *)", "PT12H", "26 14:00"),
        ("cron(0 18 * * SUN)", "P4DT12H", "27 06:00"),
        ("cron(0 18 * * 7)", "P4DT12H", "27 06:00"),
        ("cron(0 0 26 NOV *)", "P1D", "27 00:00"),
        ("cron(10 12 * jan-dec thu-sun)", "PT1M", "26 12:11"),
        ("cron(0 8,10,12 * * MON-FRI)", "PT3H", "26 15:00"),  # windows that overlap are one
    ],
)
def test_the_window_around_now_ends_as_its_schedule_says(
    expression: str, lasts: str, until: str
) -> None:
    assert ends(expression, lasts) == until


def test_a_window_begins_by_the_clock_of_its_zone_also_when_clocks_change() -> None:
    at = datetime(2026, 10, 25, 2, 30, tzinfo=UTC)  # 03:30 in Berlin
    assert ends("cron(30 1 * * *)", "PT4H", "Europe/Berlin", at) == "25 03:30"
    assert ends("at(2026-07-01T12:00)", "P1DT2H", "Europe/Berlin") == "02 12:00"


@pytest.mark.parametrize(
    ("expression", "lasts", "zone"),
    [
        ("cron(0 0 * * *)", "P1D", "UTC"),  # it never ends
        ("cron(* * * * *)", "PT1M", "UTC"),
        ("cron(0 12 26 * THU)", "PT1H", "UTC"),  # either day, or both?
        ("cron(*/5 * * * *)", "PT1M", "UTC"),
        ("cron(0 12 * * * *)", "PT1H", "UTC"),
        ("cron(0 12-8 * * *)", "PT1H", "UTC"),
        ("cron(0 99 * * *)", "PT1H", "UTC"),
        ("cron(0 ² * * *)", "PT1H", "UTC"),
        ("rate(1 day)", "PT1H", "UTC"),
        ("cron(0 12 * * *)", "P2W", "UTC"),
        ("cron(0 12 * * *)", "PT1H", "Nowhere/Land"),
        ("cron(0 3 * * *)", "PT1H", "UTC"),  # not now, so AWS reads it otherwise than we do
    ],
)
def test_nothing_is_said_of_an_end_that_cannot_be_known(
    expression: str, lasts: str, zone: str
) -> None:
    assert ends(expression, lasts, zone) is None


@given(st.integers(0, 23), st.integers(1, 24 * 60 - 1), st.integers(0, 24 * 60 - 1))
def test_a_daily_window_ends_after_its_length(hour: int, length: int, minute: int) -> None:
    now = NOW.replace(hour=0, minute=0, second=0) + timedelta(minutes=minute)
    said = end({"Expression": f"cron(0 {hour} * * *)", "Duration": f"PT{length}M"}, now)
    starts = [now.replace(hour=hour, minute=0) - timedelta(days=day) for day in (1, 0)]
    inside = [start for start in starts if start <= now < start + timedelta(minutes=length)]
    assert said == (inside[0] + timedelta(minutes=length) if inside else None)
