from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.cli.screens import metrics as screen
from opsctl.metrics.catalogue import CATALOGUE, Query
from opsctl.metrics.series import Series, window

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)


def series(points: Sequence[float | None], *, name: str, status: str = "Complete") -> Series:
    metric = next(metric for metric in CATALOGUE if metric.name == name)
    over = window(NOW - timedelta(minutes=len(points)), NOW)
    return Series(Query(metric, {}), over, points, status)


def test_a_gap_is_drawn_as_a_gap_and_zero_as_zero() -> None:
    assert screen.sparkline([0, None, 7, 3.5, 0], 10) == "▁·█▅▁"
    assert screen.sparkline([0, 0], 10) == "▁▁"
    assert screen.sparkline([75, 75, None], 10) == "▄▄·"
    assert screen.sparkline([], 10) == ""


@given(st.lists(st.none() | st.floats(0, 1e12), max_size=500), st.integers(1, 60))
def test_a_sparkline_fits_and_is_a_gap_only_where_nothing_is(
    points: list[float | None], width: int
) -> None:
    drawn = screen.sparkline(points, width)
    assert len(drawn) == min(width, len(points))
    if all(point is not None for point in points):
        assert screen.GAP not in drawn
    if all(point is None for point in points):
        assert set(drawn) <= {screen.GAP}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (75.0, "%", "75"),
        (99.95, "%", "100.0"),
        (9_999, "count", "9,999"),
        (12_345, "count", "12.3k"),
        (2_500_000, "count", "2.5M"),
        (512, "bytes", "512"),
        (3 << 20, "bytes", "3.0 MiB"),
    ],
)
def test_numbers_are_short(value: float, unit: str, text: str) -> None:
    assert screen.number(value, unit) == text


def test_a_row_says_value_unit_change_extremes_and_age() -> None:
    row = screen.row(series([10, 20, None, None, None], name="CPUReservation"), NOW, 30)
    assert row == ("CPUReservation", "20", "%", "+5", "▁█···", "10", "20", "3m30s")


def test_a_fresh_value_is_marked() -> None:
    assert screen.row(series([1, 1], name="CPUReservation"), NOW, 30)[1] == "1~"


def test_no_data_is_not_zero_and_a_failed_answer_says_so() -> None:
    empty = screen.row(series([None, None], name="Evictions"), NOW, 30)
    assert (empty[1], empty[-1]) == ("-", "no data")
    failed = screen.row(series([1.0, None], name="Evictions", status="InternalError"), NOW, 30)
    assert (failed[1], failed[-1]) == ("?", "CloudWatch: InternalError")
    part = screen.row(series([1.0, None], name="Evictions", status="PartialData"), NOW, 30)
    assert part[-1].endswith(", partial")
