"""Each row of docs/exit-codes.md, and every command that can give it. Without AWS, in this process.

What only a live system can end with is reached by a command of its own, where REACHED says.
"""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

from opsctl.cli import main
from opsctl.cli.screens import status
from opsctl.errors import ConfigError, OpsError
from opsctl.outcome import Outcome, OutcomeKind
from tests.end_to_end.place import ROOT

ROWS = {
    int(code): word.strip()
    for codes, word in re.findall(
        r"^\| ([\d, ]+) \| ([a-z-]+) \|", (ROOT / "docs/exit-codes.md").read_text(), re.M
    )
    for code in codes.split(",")
}
CONFIG = """\
name: web
network: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}
secrets: {values: {token: ssm:/web/token}}
"""
ARGUMENTS = {
    "secrets set": "token", "ecs scale": "3", "unlock": "web-ecs", "completion": "bash",
    "alarms test": "x", "alarms explain": "x", "logs query": "errors", "diff": "1 2",
    "render": "task-definition",
}  # fmt: skip
# They ask neither the config nor AWS, or have a sandbox and tests of their own.
ELSEWHERE = ("init", "sandbox", "rehearse", "completion", "config schema")
OFFLINE = ("config", "render", "iam-policy", "secrets list")
# They tell what is wrong with the config, and that is what they are for.
TELL = {"doctor": 1, "why": 2}
# What it could not read is part of what it shows.
SHOW = ("doctor",)
# The clients of a command live as long as its process, and here that is this one.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

# Where a real command ends with what only a system that lives, or somebody at it, can bring about.
REACHED = {
    1: "update_tasks.py::test_without_a_stack_the_command_that_makes_it_is_told",
    4: "update_tasks.py::test_a_forced_roll_of_the_same_image_replaces_every_task",
    5: "update_tasks.py::test_tasks_that_end_at_once_are_rolled_back_with_the_cause",
    6: "update_tasks.py::test_a_roll_that_somebody_else_supersedes_says_so",
    7: "terminal.py::test_ctrl_c_asks_once_and_a_detached_operation_is_joined",
    10: "two_operators.py::test_what_is_checked_ends_with_what_it_is",
    11: "two_operators.py::test_what_is_checked_ends_with_what_it_is",
}


def commands(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, bool]]:
    """Each command line, and whether it only plans; once more with --dry-run."""
    for name, one in (node.get("commands") or {}).items():
        line = f"{path} {name}".strip()
        if one.get("commands"):
            yield from commands(one, line)
        elif not line.startswith(ELSEWHERE):
            yield line, name in ("plan", "diff")
            if any("--dry-run" in option["names"] for option in one["options"]):
                yield f"{line} --dry-run", True


LINES = dict(commands(json.loads((ROOT / "opsctl/cli/commands.json").read_text())))


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a config; no credentials anywhere."""
    for name, value in {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x")))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "opsctl.yaml").write_text(CONFIG)
    return tmp_path


def given(line: str) -> list[str]:
    plain = line.removesuffix(" --dry-run")
    return [*line.split(), *ARGUMENTS.get(plain, "").split()]


def test_the_rows_are_those_that_the_tests_here_reach() -> None:
    assert set(ROWS) == {0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 64, 129, 130, 131, 143}
    assert len(LINES) > 45


@pytest.mark.parametrize("line", [line for line in LINES if line not in TELL])
def test_a_bad_config_is_2_and_64_where_2_means_different(alone: Path, line: str) -> None:
    (alone / "opsctl.yaml").write_text("name: web\nnope: 1\n")
    assert main(given(line)) == (64 if LINES[line] else 2)


@pytest.mark.parametrize("line", LINES)
def test_an_option_that_there_is_not_is_2_and_64_for_what_plans(alone: Path, line: str) -> None:
    assert main([*given(line), "--nonsense"]) == (64 if LINES[line] else 2)


@pytest.mark.parametrize("line", TELL)
def test_a_command_that_reports_problems_exits_with_what_it_found(alone: Path, line: str) -> None:
    (alone / "opsctl.yaml").write_text("name: web\nnope: 1\n")
    assert main([line]) == TELL[line]


@pytest.mark.parametrize("line", [one for one in LINES if not one.startswith((*OFFLINE, *SHOW))])
def test_without_credentials_it_is_3_and_one_sentence(
    alone: Path, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(given(line)) == 3
    told = capfd.readouterr()
    if line in ("status", "why"):
        assert "there are no AWS credentials" in told.out
    else:
        assert "error: there are no AWS credentials\nhint: set AWS_PROFILE" in told.err


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        *((kind, 0) for kind in ("done", "removed", "no-changes", "deployed")),
        ("failed", 1), ("deployed-unhealthy", 1), ("timed-out", 4), ("rolled-back", 5),
        ("superseded", 6), ("cancelled", 7), ("detached", 7),
    ],
)  # fmt: skip
def test_every_outcome_has_its_code(kind: OutcomeKind, code: int) -> None:
    try:
        Outcome(kind, "because").require()
    except OpsError as error:
        assert error.exit_code == code and "because" in error.message
    else:
        assert code == 0


def test_no_outcome_was_forgotten() -> None:
    assert len(get_args(OutcomeKind)) == 11


@pytest.mark.parametrize(("code", "test"), REACHED.items())
def test_a_real_command_ends_with_each_other_code(code: int, test: str) -> None:
    page, name = test.split("::")
    text = (ROOT / "tests/end_to_end" / f"test_{page}").read_text(encoding="utf-8")
    _, _, body = text.partition(f"def {name}(")
    assert re.search(rf"\b{code}\b", body.split("\ndef ")[0])


def test_what_is_checked_has_three_codes() -> None:
    assert set(status.EXITS.values()) == {0, 10, 11}
    assert {ROWS[code] for code in status.EXITS.values()} == {
        "done", "degraded", "unknown",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("number", "code"),
    [
        *((signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGQUIT, 131)),
        (signal.SIGTERM, 143),
    ],
)
def test_a_signal_ends_with_128_and_its_number(
    alone: Path, number: signal.Signals, code: int
) -> None:
    words = [sys.executable, "-m", "opsctl", "secrets", "set", "token"]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        _until_it_reads(process.pid)
        process.send_signal(number)
        assert process.wait(20) == code
        assert process.stderr is not None and b"Traceback" not in process.stderr.read()


def test_a_command_under_nohup_outlives_its_terminal() -> None:
    before = signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        main(["--version"])
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    finally:
        for number, handler in zip((signal.SIGHUP, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)


def test_every_code_of_the_error_tree_is_a_row() -> None:
    errors: list[type[OpsError]] = [OpsError, ConfigError, *OpsError.__subclasses__()]
    assert {error.exit_code for error in errors} <= set(ROWS)


def _until_it_reads(pid: int) -> None:
    """It sleeps in read(2) of its stdin."""
    for _ in range(400):
        time.sleep(0.05)
        text = Path(f"/proc/{pid}/syscall").read_text()
        if text.startswith("0 0x0 "):
            return
    raise AssertionError("it never came to read")
