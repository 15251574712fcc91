"""`make demo` as a newcomer sees it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.timeout(300)
def test_the_demo_goes_the_whole_way_and_cleans_up(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=290,
    )

    assert done.returncode == 0, done.stdout[-3000:]
    assert '"attributes":{"langs":["en","fr"],"name":"Ada"}' in done.stdout
    assert " sent, 0 lost" in done.stdout
    assert "HealthyHostCount" in done.stdout
    assert "error: rolled back" in done.stdout
    why, back = done.stdout.partition("$ opsctl why")[2].split("$ opsctl rollback")
    assert "certain" in why and "nonsense" in why
    assert "back to release 1" in back
    assert list(tmp_path.iterdir()) == []
