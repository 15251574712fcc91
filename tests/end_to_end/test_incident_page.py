"""The page of an incident in a real browser: readable without a network, and without a script."""

import os
import re
import shutil
import struct
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from opsctl.cause import rank
from opsctl.cause.history import Failure, History
from opsctl.cli.screens import incident_page
from opsctl.recording import RecordedSeries
from opsctl.timeline import Moment, moments
from tests.opsctl.cause.histories import later, rolled, task
from tests.opsctl.snapshots import START

CANARY = "s3cr3t-canary"


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser's program, installed where that is possible. In CI it must be there."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None and shutil.which("apt-get") and os.geteuid() == 0:
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        wait = ["-o", "DPkg::Lock::Timeout=300"]
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends",
                                          "chromium"]):  # fmt: skip
            subprocess.run(["apt-get", *wait, *words], env=environ, capture_output=True)
        program = shutil.which("chromium")
    if program is None:
        assert not os.environ.get("CI"), "no chromium in CI"
        pytest.skip("no chromium here, and none can be installed")
    return program


def page() -> str:
    line = f"redis://user:{CANARY}@cache:6379 cannot be reached"
    now = rolled(task(code=3), task("t2", code=3), lines={"t1": ("<b>not markup</b>", line)})
    failure = Failure("rolled-back", "the deployment failed", time=later(30))
    history = History.of([now], command="update-tasks", began=START).met(failure)
    series = [
        RecordedSeries("HealthyHostCount", "count", START - timedelta(minutes=30), 60,
                       tuple(8.0 if n < 20 else None if n < 22 else 2.0 for n in range(30))),
    ]  # fmt: skip
    return incident_page.page(
        title="web · staging · update-tasks",
        at=later(60),
        causes=rank.rank(history),
        moments=moments(history, None),
        series=series,
        looked_at="looked at: 2 tasks",
        versions="opsctl 1",
    )


def run(chromium: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         f"--user-data-dir={folder / 'profile'}", "--window-size=1100,1400", *options,
         (folder / "page.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=100,
    )  # fmt: skip


def test_the_browser_shows_causes_time_line_and_charts(chromium: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(page(), encoding="utf-8")
    done = run(chromium, tmp_path, "--dump-dom")
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr, done.stderr
    for section in ("causes", "overview", "charts", "timeline"):
        assert f'id="{section}"' in done.stdout
    assert "<polyline" in done.stdout and "HealthyHostCount" in done.stdout
    assert "&lt;b&gt;not markup&lt;/b&gt;" in done.stdout

    shot = tmp_path / "page.png"
    assert run(chromium, tmp_path, f"--screenshot={shot}").returncode == 0
    width, height = struct.unpack(">II", shot.read_bytes()[16:24])
    assert (width, height) == (1100, 1400)
    assert len(shot.read_bytes()) > 20_000, "the page is empty"


def test_the_page_can_be_printed(chromium: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(page(), encoding="utf-8")
    printed = tmp_path / "page.pdf"
    assert run(chromium, tmp_path, f"--print-to-pdf={printed}").returncode == 0
    assert printed.read_bytes().startswith(b"%PDF")


def test_it_needs_nothing_from_elsewhere_and_holds_no_secret() -> None:
    text = page()
    assert "<script" not in text and CANARY not in text
    assert not re.search(r"""(?:src|href)=|url\(|@import|https?://""", text)
    assert "default-src 'none'" in text


def test_what_was_before_the_command_is_folded_and_another_day_is_named() -> None:
    days = Moment(START - timedelta(days=3), "instances", "i-1 joined the cluster")
    began = Moment(START, "command", "opsctl update-tasks")
    text = incident_page.page(
        title="web", at=later(60), causes=(), moments=(days, began), series=(), looked_at="",
        versions="",
    )  # fmt: skip
    folded = text.partition("<details>")[2].partition("</details>")[0]
    assert "1 earlier moment<" in folded and "i-1 joined" in folded
    assert f"<time>{days.at:%Y-%m-%d} " in folded
    assert "opsctl update-tasks" not in folded and "opsctl update-tasks" in text
