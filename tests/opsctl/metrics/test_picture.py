import struct
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from opsctl.cli.installation import adding
from opsctl.metrics.catalogue import CATALOGUE, Query
from opsctl.metrics.chart import ALARM, RELEASE, Mark
from opsctl.metrics.panels import panels
from opsctl.metrics.picture import picture
from opsctl.metrics.series import Series, Window
from tests.opsctl.snapshots import START


def drawn(
    count: int = 1, marks: tuple[Mark, ...] = (), *, name: str = "CPU", limit: float | None = None
) -> bytes:
    over = Window(START, START + timedelta(minutes=5), 60)
    points = [1.0, 2.0, None, 3.0, None]
    series = [Series(Query(metric, {}), over, points) for metric in CATALOGUE[:count]]
    thresholds = {} if limit is None else {0: limit}
    shown = panels(
        series, name=lambda one: name, number=lambda one, value: f"{value:g}", thresholds=thresholds
    )
    return picture("web", shown, marks)


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_a_picture_is_a_png_that_grows_by_a_row_of_charts() -> None:
    (width, low), (same, high) = size(drawn(2)), size(drawn(3))
    assert width == same and high - low == 190


def test_limits_releases_and_alarms_each_change_the_picture() -> None:
    at = START + timedelta(minutes=1)
    plain, limited = drawn(), drawn(limit=2.5)
    released, rung = (drawn(marks=(Mark(at, sign, "7"),)) for sign in (RELEASE, ALARM))
    assert len({plain, limited, released, rung}) == 4


def test_no_name_is_read_as_mathematics_or_told_on_stderr_where_the_font_lacks_it() -> None:
    assert size(drawn(name="$\\frac{$ 漢字 \ud800", marks=(Mark(START, RELEASE, "$x^{"),)))


def test_a_picture_needs_no_display_and_heeds_no_settings_of_matplotlib(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("backend: tkagg\nsavefig.dpi: 7\nfigure.dpi: 7\n")
    code = (
        "from tests.opsctl.metrics.test_picture import *\nprint(size(drawn()))\n"
        "import sys\nassert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], text=True, capture_output=True, timeout=60,
        cwd=Path(__file__).parents[3],
        env={"MPLCONFIGDIR": str(tmp_path), "MPLBACKEND": "nonsense", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("(1200, ")


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("pipx_metadata.json", "pipx inject here 'matplotlib>=3.10'"),
        ("uv-receipt.toml", f"uv pip install --python {sys.executable} 'matplotlib>=3.10'"),
        ("pyvenv.cfg", f"{sys.executable} -m pip install 'matplotlib>=3.10'"),
    ],
)
def test_the_hint_adds_it_to_the_installation_that_runs(
    tmp_path: Path, file: str, command: str
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / file).touch()
    assert adding("matplotlib>=3.10", tmp_path / "here") == command
