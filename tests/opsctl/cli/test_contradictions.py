"""Options that contradict each other are refused: none of them is silently ignored."""

import json
from pathlib import Path

import pytest

from opsctl.cli import main

CONFIG = "name: web\nnetwork: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "opsctl.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    # Nothing here may get as far as AWS.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("metrics --json --csv", "--csv does not go together with --json"),
        ("metrics --csv --check", "--check does not go together with --csv"),
        ("metrics --check --since 1h", "--check does not go together with --since"),
        ("metrics --check --period 5m", "--check does not go together with --period"),
        ("metrics --plot cpu --explain", "--plot does not go together with --explain"),
        ("metrics --html x --png x", "--html and --png name the same file"),
        ("metrics --every 30s", "--every does nothing without --watch"),
        ("status --every 5s", "--every does nothing without --watch"),
        ("status --watch --check", "--check does not go together with --watch"),
        ("history 3 --lines 20", "the number of a release does not go together with --lines"),
        ("logs query errors --source app --group x", "--source does not go together with --group"),
        ("logs tail app ecs --group x", "the source `app`, `ecs` does not go together with"),
        ("logs tail --follow --no-follow", "--follow does not go together with --no-follow"),
        ("logs tail --until 1m --follow", "--until ends the reading and --follow does not"),
        ("logs tail --since 1h --since-release 2", "both say where to begin"),
        ("logs query errors --utc --local", "--local does not go together with --utc"),
        ("init new --account --sandbox", "--account does not go together with --sandbox"),
        ("init new --sandbox --vpc vpc-00000001", "the sandbox has its own"),
        ("update-tasks --no-build --rebuild", "--rebuild builds an image"),
        ("update-tasks --image x --rebuild", "--rebuild builds an image"),
        ("why --save x --html ./x", "--save and --html name the same file"),
        ("status -e staging --env production", "--env names two different things: `staging`, `pro"),
        ("status -c a -c b", "-c names two different things: `a`, `b`"),
    ],
)
def test_a_contradiction_is_refused(
    line: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert words in error and "\nhint: " in error


def test_the_same_thing_said_twice_is_no_contradiction(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "-c", "opsctl.yaml", "--config", "opsctl.yaml"]) == 0


@pytest.mark.parametrize("line", ["ecs scale 3 --dry-run --timeout soon", "diff 1 2 -e a -e b"])
def test_a_wrong_value_is_refused_by_a_dry_run_too(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 64


@pytest.mark.parametrize("line", ["config schema", "completion bash", "iam-policy", "render db"])
def test_json_is_one_object_per_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*line.split(), "--json"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed and all(isinstance(json.loads(one), dict) for one in printed)


@pytest.mark.parametrize("line", ["--help logs tail", "logs --help tail", "logs tail --help"])
def test_help_may_stand_anywhere(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 0
    assert "Usage: opsctl logs" in capsys.readouterr().out
