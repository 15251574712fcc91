"""The page of `metrics --html` in a real browser."""

from datetime import timedelta
from pathlib import Path

from opsctl.cli.screens import metrics as screens
from opsctl.cli.screens.metrics import Shown
from opsctl.metrics.catalogue import CATALOGUE, Query
from opsctl.metrics.chart import RELEASE, Mark
from opsctl.metrics.series import Series, Window
from opsctl.snapshot.snapshot import Snapshot
from tests.end_to_end.test_incident_page import chromium, run
from tests.opsctl.snapshots import NAMES, START

__all__ = ["chromium"]


def test_the_browser_shows_a_chart_for_each_metric_and_its_marks(
    chromium: str, tmp_path: Path
) -> None:
    over = Window(START, START + timedelta(minutes=3), 60)
    series = [Series(Query(metric, {}), over, [1.0, None, 2.0]) for metric in CATALOGUE]
    marks = [Mark(START, RELEASE, "release 7 <b>")]
    text = screens.as_page(Shown(Snapshot(START, NAMES), series, START, {}), marks)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    done = run(chromium, tmp_path, "--dump-dom")
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr, done.stderr
    assert done.stdout.count("<svg") == len(CATALOGUE)
    assert done.stdout.count("<circle") == 2 * len(CATALOGUE)
    assert "release 7 &lt;b&gt;" in done.stdout
