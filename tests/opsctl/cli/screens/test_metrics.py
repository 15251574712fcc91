import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.alarms.limits import Limit
from opsctl.cli.screens import metric_cells as cells
from opsctl.cli.screens import metrics as screen
from opsctl.cli.screens.console import Console
from opsctl.cli.screens.metrics import MetricsScreen, Shown
from opsctl.errors import ConfigError
from opsctl.metrics.catalogue import CATALOGUE, GROUPS, Query
from opsctl.metrics.chart import RELEASE, Mark
from opsctl.metrics.meanings import MEANINGS
from opsctl.metrics.series import Series, Window, window
from opsctl.snapshot.alarms import AlarmChange
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Snapshot
from tests.opsctl.snapshots import NAMES, service

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)


def series(points: Sequence[float | None], *, name: str, status: str = "Complete") -> Series:
    metric = next(metric for metric in CATALOGUE if metric.name == name)
    over = window(NOW - timedelta(minutes=len(points)), NOW)
    return Series(Query(metric, {}), over, points, status)


def test_a_gap_is_drawn_as_a_gap_and_zero_as_zero() -> None:
    assert cells.sparkline([0, None, 7, 3.5, 0], 10) == "▁·█▅▁"
    assert cells.sparkline([0, 0], 10) == "▁▁"
    assert cells.sparkline([75, 75, None], 10) == "▄▄·"
    assert cells.sparkline([], 10) == ""


def test_a_name_is_cut_so_that_what_it_is_about_still_tells_rows_apart() -> None:
    one = series([1.0], name="HealthyHostCount")
    zone = {"AvailabilityZone": "us-east-1a"}
    by_zone = replace(one, query=Query(one.query.metric, zone, "us-east-1a"))
    assert (cells.name(one, 26), cells.name(by_zone, 26)) == (
        "HealthyHostCount", "HealthyHostCount 1a",
    )  # fmt: skip
    node = replace(one, query=Query(one.query.metric, {}, "002 replica"))
    assert cells.name(node, 20) == "Healthy… 002 replica"


@given(st.lists(st.none() | st.floats(-(2.0**360), 2.0**360), max_size=500), st.integers(1, 60))
def test_a_sparkline_fits_and_is_a_gap_only_where_nothing_is(
    points: list[float | None], width: int
) -> None:
    drawn = cells.sparkline(points, width)
    assert len(drawn) == min(width, len(points))
    if all(point is not None for point in points):
        assert cells.GAP not in drawn
    if all(point is None for point in points):
        assert set(drawn) <= {cells.GAP}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (75.0, "%", "75"),
        (99.95, "%", "100.0"),
        (9_999, "count", "9,999"),
        (12_345, "count", "12.3k"),
        (2_500_000, "count", "2.5M"),
        (-2_500_000, "count", "-2.5M"),
        (2.0**360, "bytes", "2.3e+108"),
        (-(2.0**360), "%", "-2.3e+108"),
        (512, "bytes", "512"),
        (3 << 20, "bytes", "3.0 MiB"),
    ],
)
def test_numbers_are_short(value: float, unit: str, text: str) -> None:
    assert cells.number(value, unit) == text


def test_a_row_says_value_unit_change_extremes_and_age() -> None:
    row = cells.row(series([10, 20, None, None, None], name="CPUReservation"), NOW, 30)
    assert row == ("CPUReservation", "20", "%", "+5", "▁█···", "10", "20", "", "3m30s")


def test_a_fresh_value_is_marked() -> None:
    assert cells.row(series([1, 1], name="CPUReservation"), NOW, 30)[1] == "1~"


def test_no_data_is_not_zero_and_a_failed_answer_says_so() -> None:
    empty = cells.row(series([None, None], name="Evictions"), NOW, 30)
    assert (empty[1], empty[-1]) == ("-", "no data")
    failed = cells.row(series([1.0, None], name="Evictions", status="InternalError"), NOW, 30)
    assert (failed[1], failed[-1]) == ("?", "CloudWatch: InternalError")
    part = cells.row(series([1.0, None], name="Evictions", status="PartialData"), NOW, 30)
    assert part[-1].endswith(", partial")


LIMIT = Limit(">", 80, "ALARM", "cluster-cpu-reservation")


def shown(*found: Series, limits: dict[int, Limit] | None = None) -> Shown:
    return Shown(Snapshot(NOW, NAMES, service=service()), found, NOW, limits or {})


def test_the_limit_of_an_alarm_stands_beside_the_value_with_its_state() -> None:
    assert cells.row(series([81, 82], name="CPUReservation"), NOW, 30, LIMIT)[7] == "✗ > 80"
    unmade = Limit("<", 2, "", "running-tasks")
    assert cells.row(series([81, 82], name="CPUReservation"), NOW, 30, unmade)[7] == "< 2"


@pytest.mark.parametrize("width", [80, 100, 140])
def test_every_line_fits_the_terminal(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        replace(
            series([float(n * 1e6) for n in range(100)], name=metric.name),
            query=Query(metric, {}, "us-east-1a" if metric.by else ""),
        )
        for metric in CATALOGUE
    ]
    limits = {n: LIMIT for n in range(len(rows))}
    MetricsScreen(Console(), list(GROUPS), width=width).show(shown(*rows, limits=limits))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(rows) + len(GROUPS) + 3
    assert max(map(len, lines)) <= width
    reservations = [line for line in lines if "Reservation" in line]
    assert reservations and all("✗ > 80" in line for line in reservations)


def test_a_low_terminal_says_how_much_it_does_not_show(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [series([1.0, 2.0], name="CPUReservation")] * 20
    MetricsScreen(Console(), ["cluster"], lines=10).show(shown(*rows))
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), lines[-1]) == (10, "… 14 more lines: name a group")


def test_json_has_the_limit_and_the_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    looked = shown(series([1.0, None], name="CPUReservation"), limits={0: LIMIT})
    MetricsScreen(Console(json=True), ["cluster"]).show(looked)
    [row] = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["threshold"], row["alarm_state"], row["points"]) == (80, "ALARM", [1.0, None])


def test_every_metric_of_the_catalogue_is_explained() -> None:
    names = {"RunningTasks" if m.statistic == "SampleCount" else m.name for m in CATALOGUE}
    assert names <= set(MEANINGS)


def test_what_a_row_means_is_said_once_with_its_limit(capsys: pytest.CaptureFixture[str]) -> None:
    looked = shown(*[series([1.0], name="CPUReservation")] * 2, limits={0: LIMIT})
    screen.explain(Console(), looked)
    text = capsys.readouterr().out
    assert text.count("CPUReservation (cluster)") == 1
    assert "Alarm cluster-cpu-reservation: ✗ > 80." in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_plot_is_found_by_a_part_of_its_name_and_lists_its_marks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    looked = shown(series([1.0, 2.0, 3.0], name="CPUReservation"))
    marks = [Mark(NOW - timedelta(minutes=2), RELEASE, "release 7 by ann")]
    screen.plot(Console(), looked, "reserv", marks, 60, 6)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cluster: CPUReservation, %"
    assert "▲" in lines[-3] and lines[-1].endswith("release 7 by ann")
    with pytest.raises(ConfigError, match="no metric here is called `nothing`"):
        screen.plot(Console(), looked, "nothing", [], 60, 6)


def test_a_plot_shows_the_metric_of_every_group_that_has_one_of_this_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    over = Window(NOW - timedelta(minutes=2), NOW, 60)
    mine = [one for one in CATALOGUE if one.name == "CPUUtilization"]
    rows = [Series(Query(metric, {}), over, [1.0, 2.0]) for metric in mine]
    screen.plot(Console(), shown(*rows), "cpuutilization", [], 60, 6)
    heads = [line for line in capsys.readouterr().out.splitlines() if ": CPUUtilization" in line]
    assert [head.partition(":")[0] for head in heads] == ["cluster", "service", "cache", "asg"]


def test_releases_and_alarms_that_begin_to_ring_are_marks() -> None:
    now = Snapshot(
        NOW,
        NAMES,
        releases=(Release(7, NOW, who="arn:aws:iam::1:user/ann"),),
        alarm_changes=(
            AlarmChange("web-service-cpu", NOW - timedelta(minutes=1), "OK", "ALARM"),
            AlarmChange("web-service-cpu", NOW, "ALARM", "OK"),
        ),
    )
    assert [(mark.sign, mark.text) for mark in screen.marks(now)] == [
        ("✗", "service-cpu rings"),
        ("▲", "release 7 by ann"),
    ]


def test_a_watch_is_billed_by_the_metric_whatever_its_statistics() -> None:
    twice = [series([1.0], name="CPUReservation")] * 2
    assert screen.price(twice, 30) == "1 metric every 30s: about $0.00 an hour"
    many = [replace(twice[0], query=Query(CATALOGUE[0], {"n": str(n)})) for n in range(100)]
    assert screen.price(many, 30) == "100 metrics every 30s: about $0.12 an hour"


def test_a_span_over_midnight_names_both_days(capsys: pytest.CaptureFixture[str]) -> None:
    MetricsScreen(Console(), ["cluster"]).show(
        shown(series([1.0] * (25 * 60), name="CPUReservation"))
    )
    head = capsys.readouterr().out.splitlines()[0]
    days = {f"{NOW - timedelta(hours=hours):%Y-%m-%d}" for hours in (0, 25)}
    assert all(day in head for day in days), head
