from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.errors import ConfigError
from opsctl.metrics.catalogue import CATALOGUE, Query
from opsctl.metrics.series import Series, align, window

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
CPU = Query(CATALOGUE[0], {"ClusterName": "web"})


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


@pytest.mark.parametrize(
    ("since", "period"),
    [
        (ago(minutes=30), 60),
        (ago(hours=3), 60),
        (ago(hours=12), 300),
        (ago(days=1), 900),
        (ago(days=7), 3600),
        (ago(days=30), 21_600),
        (ago(days=300), 86_400),
    ],
)
def test_the_period_is_the_shortest_that_fits_a_screen(since: datetime, period: int) -> None:
    assert window(since, NOW).period == period


@given(st.integers(120, 400 * 86_400))
def test_a_window_lies_on_whole_periods_and_ends_before_now(seconds: int) -> None:
    over = window(NOW - timedelta(seconds=seconds), NOW)
    assert over.start.timestamp() % over.period == over.end.timestamp() % over.period == 0
    assert NOW - timedelta(seconds=over.period) < over.end <= NOW
    assert 1 <= len(over) <= 500


def test_points_that_cloudwatch_no_longer_keeps_are_refused() -> None:
    with pytest.raises(ConfigError, match="keeps no 60 s points"):
        window(ago(days=16), NOW, 60)


def test_a_window_of_the_future_is_refused() -> None:
    with pytest.raises(ConfigError, match="in the past"):
        window(NOW + timedelta(hours=1), NOW)


def test_missing_points_are_gaps_whatever_the_order_of_the_answer() -> None:
    over = window(ago(minutes=5), NOW)
    times = [over.time(3), over.time(0), over.end, over.start - timedelta(minutes=1)]
    assert align(times, [3.0, 0.0, 9.0, 9.0], over) == [0.0, None, None, 3.0, None]


def test_a_value_settles_after_two_minutes() -> None:
    over = window(ago(minutes=5), NOW)
    fresh = Series(CPU, over, [1, 2, 3, 4, 5])
    older = Series(CPU, over, [1, 2, 3, None, None])
    assert (fresh.age(NOW), fresh.settled(NOW)) == (timedelta(seconds=30), False)
    assert (older.age(NOW), older.settled(NOW)) == (timedelta(seconds=150), True)
    assert not Series(CPU, over, [None] * 5).settled(NOW)


def test_sums_are_by_the_minute_so_that_a_longer_period_changes_no_value() -> None:
    metric = next(m for m in CATALOGUE if m.statistic == "Sum")
    over = window(ago(hours=12), NOW)
    assert over.period == 300
    assert Series(Query(metric, {}), over, [50.0, None]).scaled == [10.0, None]


def test_a_window_shorter_than_a_period_is_refused() -> None:
    with pytest.raises(ConfigError, match="shorter than one period"):
        window(ago(minutes=2), NOW, 300)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e200])
def test_what_cloudwatch_never_takes_in_is_a_gap(value: float) -> None:
    over = window(ago(minutes=2), NOW)
    assert align([over.start, over.time(1)], [value, 5.0], over) == [None, 5.0]
