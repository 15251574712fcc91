import pytest

from opsctl.cli.rehearse import judge
from opsctl.cli.screens.console import Console
from opsctl.errors import OpsError

CHOSEN = {
    "name": "access-denied",
    "tells": "the caller may not make change sets",
    "cause": "access-denied",
    "file": "scenarios/access-denied.yaml",
}


def test_a_rehearsal_that_does_not_end_as_its_file_says_fails_and_names_the_file() -> None:
    result = {"exit_code": 0, "otherwise": ["the exit code is 0 and not 3"]}

    with pytest.raises(OpsError, match="the exit code is 0 and not 3") as caught:
        judge(Console(), CHOSEN, result)

    assert caught.value.exit_code == 1
    assert "access-denied.yaml" in str(caught.value.hint)


def test_one_that_ends_as_its_file_says_names_what_was_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    judge(Console(), CHOSEN, {"exit_code": 3, "otherwise": []})

    said = capsys.readouterr().err
    assert "exit code 3" in said
    assert "the caller may not make change sets (access-denied)" in said
