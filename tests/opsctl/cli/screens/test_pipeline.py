"""In a pipeline: annotations at the line of a file, folded output, a summary; nobody's commands."""

import json
from pathlib import Path
from typing import Any

import pytest

from opsctl.cli.screens import pipeline, summary
from opsctl.cli.screens.console import Console
from opsctl.errors import ConfigError, OpsError

GITHUB = {"GITHUB_ACTIONS": "true"}


def console(environ: dict[str, str], *, as_json: bool = False) -> Console:
    return Console(json=as_json, pipeline=pipeline.of(environ))


def test_outside_a_pipeline_there_is_none() -> None:
    assert pipeline.of({}) is None
    assert pipeline.of({"GITHUB_ACTIONS": "false", "GITLAB_CI": ""}) is None


def test_each_finding_is_marked_at_its_line_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "service").mkdir()
    monkeypatch.chdir(tmp_path / "service")
    findings = ["opsctl.yaml:3:5 `db.prot` is unknown, 100% sure", "opsctl.yaml:7: two"]
    shown = console(GITHUB | {"GITHUB_WORKSPACE": str(tmp_path)})
    shown.error(ConfigError("the config has 2 errors", findings=findings))
    shown.warn("nothing points to a line")
    marks = [line for line in capsys.readouterr().err.splitlines() if line.startswith("::")]
    assert marks == [
        "::error file=service/opsctl.yaml,line=3,col=5,title=opsctl::"
        "`db.prot` is unknown, 100%25 sure",
        "::error file=service/opsctl.yaml,line=7,title=opsctl::two",
        "::warning title=opsctl::nothing points to a line",
    ]


def test_what_a_container_said_is_no_command_of_the_pipeline(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = console(GITHUB)
    shown.say("it said\n  ::add-mask::x\n::set-output name=a::b and ##[error]c")
    shown.data("::warning::d")
    out = capsys.readouterr()
    assert not [line for line in (out.out + out.err).splitlines() if line.lstrip()[:2] == "::"]
    assert "##[" not in out.err
    as_json = console(GITHUB, as_json=True)
    as_json.emit("log", message="::a ##[error]")
    assert json.loads(capsys.readouterr().out)["message"] == "::a ##[error]"


def test_long_output_is_folded_and_an_error_never_is(capsys: pytest.CaptureFixture[str]) -> None:
    shown = console(GITHUB)
    shown.fold("image: build")
    shown.say("  step 1")
    shown.error(OpsError("the build failed"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == ["::group::image: build", "  step 1", "::endgroup::"]
    assert lines[-1] == "error: the build failed"


def test_gitlab_folds_in_its_own_way(capsys: pytest.CaptureFixture[str]) -> None:
    shown = console({"GITLAB_CI": "true"})
    shown.fold("image: build")
    shown.unfold()
    shown.warn("no annotation there")
    said = capsys.readouterr().err
    assert "section_start:" in said and ":image_build\r\x1b[0Kimage: build\n" in said
    assert "section_end:" in said and "::warning" not in said


PLAN: dict[str, Any] = {
    "stack": "web-ecs", "kind": "UPDATE", "changes": [
        {"action": "Modify", "logical_id": "Cache", "resource_type": "AWS::X::CacheCluster",
         "replaces": True, "effect": "made anew", "loss": "the cache is emptied"},
        {"action": "Modify", "logical_id": "Tasks", "resource_type": "AWS::ECS::TaskDefinition",
         "replaces": False, "effect": "a new revision", "loss": None},
    ],
}  # fmt: skip
CAUSE: dict[str, Any] = {
    "rank": 1, "confidence": "certain", "sentence": "`web` exited 1", "next": "opsctl logs tail",
    "evidence": [{"time": None, "source": "log", "quote": "<b>|# [x](javascript:y)\nboom"}],
}  # fmt: skip


def test_the_summary_holds_plan_outcome_cause_and_links() -> None:
    objects = [
        ("plan", PLAN),
        ("cause", CAUSE),
        ("result", {"stack": "web-ecs", "outcome": "rolled-back", "reason": "it failed"}),
    ]
    text = summary.markdown("opsctl ecs\nup", objects, "eu-west-1")
    assert text.startswith("### `opsctl ecs up`\n")
    assert "| **Modify, replaced** | Cache | AWS::X::CacheCluster |" in text
    assert "**the cache is emptied**" in text
    assert "| Modify | Tasks |" in text
    assert "console.aws.amazon.com/cloudformation/home?region=eu-west-1#/stacks?filter" in text
    assert "next: `opsctl logs tail`" in text and ": **rolled-back**: it failed" in text
    # What somebody else wrote is neither HTML nor Markdown, and stays in its line.
    assert "<b>" not in text and "[x](" not in text and "boom" in text


def test_every_kind_has_its_section() -> None:
    assert set(summary._SECTIONS) == summary.KINDS


def test_the_summary_is_added_to_the_file_and_only_when_there_is_something_to_say(
    tmp_path: Path,
) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    made = pipeline.of(GITHUB | {"GITHUB_STEP_SUMMARY": str(file)})
    assert made is not None
    made.take("log", {"message": "not of interest"})
    made.end("opsctl logs tail", "")
    assert file.read_text() == "before\n"
    made.take("result", {"stack": "web-db", "outcome": "done", "reason": None})
    made.end("opsctl db up", "")
    assert file.read_text() == "before\n### `opsctl db up`\n\n`web-db`: **done**\n\n"
