"""The sandbox's own program, as the two commands run it."""

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from opsctl.cli import sandbox_process
from opsctl.errors import ConfigError, OpsError

ROOT = Path(__file__).parents[3]
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT)}


def test_the_sandbox_s_sentence_hint_and_exit_code_become_an_error_of_opsctl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OpsError, match=f"sandbox `default` is not running in {tmp_path}") as caught:
        list(sandbox_process.run(["status"], ENVIRON))
    assert (caught.value.exit_code, caught.value.hint) == (1, "opsctl sandbox up")

    with pytest.raises(ConfigError, match="--tasks is auto, docker, process, none, not `two`"):
        list(sandbox_process.run(["up", "--tasks=two"], ENVIRON))


def test_without_the_extra_the_error_says_how_to_install_it(tmp_path: Path) -> None:
    # A bare interpreter has the sources and nothing of what the extra brings.
    script = (
        f"import sys; sys.path[:] = {stdlib()!r}\n"
        "from opsctl.cli import sandbox_process\n"
        "from opsctl.errors import OpsError\n"
        "try:\n    list(sandbox_process.run(['status'], {}))\n"
        "except OpsError as error:\n    print(repr(error), error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == (
        "OpsError('the sandbox is not installed') pipx install '.[sandbox]'"
    ), done.stderr


def stdlib() -> list[str]:
    return [str(ROOT), *(p for p in sys.path if p and "site-packages" not in p and p != str(ROOT))]


def test_who_stops_reading_a_rehearsal_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {**ENVIRON, "TMPDIR": str(tmp_path)}
    began = time.monotonic()
    with closing(sandbox_process.run(["rehearse", "access-denied"], environ)) as items:
        kinds = [next(items)["type"] for _ in range(3)]

    assert kinds == ["rehearsal", "rehearsal_event", "rehearsal_event"]
    assert list(tmp_path.glob("opsctl-rehearsal-*")) == []
    assert time.monotonic() - began < 30
