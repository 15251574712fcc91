from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from opsctl.metrics.catalogue import CATALOGUE, Query
from opsctl.metrics.chart import ALARM, RELEASE, Mark, chart
from opsctl.metrics.page import page
from opsctl.metrics.panels import panels
from opsctl.metrics.series import Series, Window
from tests.opsctl.snapshots import START


def series(points: Sequence[float | None]) -> Series:
    end = START + timedelta(minutes=len(points))
    return Series(Query(CATALOGUE[0], {}), Window(START, end, 60), points)


def drawn(points: Sequence[float | None], **more: object) -> list[str]:
    return chart(series(points), 24, 4, number=lambda value: f"{value:g}", **more)  # type: ignore[arg-type]  # of the case


def test_a_chart_has_bars_axes_and_times() -> None:
    assert drawn([4, 2, 1, 0] * 5) == [
        "4 ┤█   █   █   █   █",
        "  ┤█   █   █   █   █",
        "2 ┤██  ██  ██  ██  ██",
        "  ┤███ ███ ███ ███ ███",
        "0 ┼────────────────────",
        "   12:00Z        12:20Z",
    ]


def test_a_gap_is_a_gap_and_zero_is_a_line() -> None:
    assert drawn([0, None] * 10)[-2] == "  0 ┼─·─·─·─·─·─·─·─·─·─·"


def test_a_limit_is_a_line_behind_the_bars_and_part_of_the_scale() -> None:
    lines = drawn([2] * 10 + [None] * 10, threshold=4)
    assert lines[0] == "4 ┤╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌"
    assert lines[2] == "2 ┤██████████"


def test_marks_stand_below_their_minute_and_a_release_before_an_alarm() -> None:
    at = START + timedelta(minutes=5)
    marks = [Mark(at, RELEASE, "7"), Mark(at, ALARM, "rings"), Mark(START - timedelta(1), "x", "")]
    assert drawn([1] * 20, marks=marks)[-2] == "          ▲"


@given(
    st.lists(st.none() | st.floats(0, 1e12), max_size=400), st.integers(1, 150), st.integers(1, 30)
)
def test_a_chart_fits_whatever_it_shows(
    points: list[float | None], width: int, height: int
) -> None:
    lines = chart(series(points), width, height, number=lambda value: f"{value:.0e}")
    assert len({*map(len, lines)}) >= 1
    assert max(map(len, lines)) <= max(width, 30)


def written(points: Sequence[float | None]) -> str:
    shown = panels(
        [series(points)], name=lambda one: "CPU <i>",
        number=lambda one, value: f"{value:g}", thresholds={0: 80.0},
    )  # fmt: skip
    return page("web <b>", shown, [Mark(START, RELEASE, "release 7 <script>")])


def test_a_page_needs_nothing_from_outside_and_no_text_is_markup() -> None:
    text = written([1.0, 2.0])
    for outside in ("http", "<script", "src=", "<i>", "<b>"):
        assert outside not in text
    assert "release 7 &lt;script&gt;" in text


def test_a_line_never_bridges_a_gap_and_a_single_point_is_a_dot() -> None:
    text = written([1.0, 2.0, None, 3.0, None, 4.0, 5.0])
    assert (text.count("<polyline"), text.count("<circle")) == (2, 1)
    assert "no data" in written([None, None])
