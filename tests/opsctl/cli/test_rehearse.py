import pytest

from opsctl.cli.rehearse import judge
from opsctl.cli.screens.console import Console
from opsctl.errors import OpsError
from opsctl_sandbox.rehearsals import rehearsal
from opsctl_sandbox.rehearsals.rehearsal import RehearsalEvent


def test_a_rehearsal_that_ends_otherwise_fails_and_names_its_file() -> None:
    chosen = rehearsal.load("access-denied")
    result = RehearsalEvent("result", exit_code=0, otherwise=["the exit code is 0 and not 3"])

    with pytest.raises(OpsError, match="the exit code is 0 and not 3") as caught:
        judge(Console(), chosen, result)

    assert caught.value.exit_code == 1
    assert "access-denied.yaml" in str(caught.value.hint)


def test_one_that_ends_as_told_says_what_was_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = rehearsal.load("access-denied")

    judge(Console(), chosen, RehearsalEvent("result", exit_code=3))

    assert "exit code 3" in capsys.readouterr().err
