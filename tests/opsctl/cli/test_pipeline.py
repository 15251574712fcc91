"""A command in GitHub Actions, as a process."""

from pathlib import Path

import pytest

from tests.opsctl.cli.conftest import System


@pytest.fixture
def github(system: System) -> System:
    system.variables |= {
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(system.folder),
        "GITHUB_STEP_SUMMARY": str(system.folder / "summary.md"),
    }
    return system


def summary(system: System) -> str:
    return Path(system.variables["GITHUB_STEP_SUMMARY"]).read_text()


def test_a_plan_and_its_end_are_in_the_summary(github: System) -> None:
    done = github.run("db", "plan")
    assert done.returncode == 2, done.stderr
    text = summary(github)
    assert "### `opsctl db plan`" in text and "| Add | CacheCluster |" in text
    assert "console" not in text  # an emulator has none
    assert "\x1b" not in done.stdout + done.stderr


def test_an_error_is_an_annotation_and_in_the_summary(github: System) -> None:
    config = github.folder / "opsctl.yaml"
    config.write_text(config.read_text() + "netwrok: {}\n")
    done = github.run("db", "up")
    assert done.returncode == 2
    assert "::error file=opsctl.yaml,line=4,col=1,title=opsctl::" in done.stderr
    assert "**error**" in summary(github)


def test_a_summary_that_cannot_be_written_stops_nothing(github: System) -> None:
    github.variables["GITHUB_STEP_SUMMARY"] = str(github.folder)
    done = github.run("db", "plan")
    assert done.returncode == 2 and "the step summary cannot be written" in done.stderr
