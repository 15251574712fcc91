"""The lines of a roll on a pipe: of each target of a few tasks, not of hundreds."""

import json

import pytest

from opsctl.cli.screens.console import Console
from opsctl.cli.screens.rollout import RolloutScreen
from opsctl.rollout.watch import Counts, TargetChanged

STATES = ("initial", "healthy", "unhealthy", "draining")


def roll(tasks: int, console: Console) -> None:
    screen = RolloutScreen(console)
    screen.show(Counts(tasks, 0, tasks, 0, tasks, healthy=1))
    for state in STATES:
        for number in range(tasks):
            screen.show(TargetChanged(f"i-1:{number}", state))


def test_a_few_targets_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    roll(4, Console())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 + 4 * len(STATES)
    assert lines[0] == "  0 of 4 new tasks run, 4 start, 4 old remain, 1 target healthy"


def test_hundreds_of_targets_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    roll(500, Console())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 + 20 and "unhealthy" in lines[-1]


def test_a_program_gets_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    roll(500, Console(json=True))
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(objects) == 1 + 500 * len(STATES)
