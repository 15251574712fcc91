"""`opsctl render`, as the command line gives it."""

import json
from pathlib import Path

import pytest

from opsctl.cli import main
from opsctl.cli.render import FILES

ROOT = Path(__file__).parents[3]
CONFIG = ["-c", str(ROOT / "opsctl.example.yaml")]


def test_a_template_goes_to_stdout_as_it_would_be_sent(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "db", *CONFIG]) == 0

    assert capsys.readouterr().out.startswith('AWSTemplateFormatVersion: "2010-09-09"\n')


def test_everything_can_be_written_into_a_directory(tmp_path: Path) -> None:
    # The option stands behind the names, too.
    assert main(["render", *FILES, "--out", str(tmp_path / "new"), *CONFIG]) == 0

    names = {path.name for path in (tmp_path / "new").iterdir()}
    templates = {"db.yaml", "ecr.yaml", "ecs.yaml", "alarms.yaml"}
    assert names == templates | {"Caddyfile", "task-definition.json"}


def test_the_task_definition_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "task-definition", *CONFIG]) == 0

    made = json.loads(capsys.readouterr().out)
    assert made["ContainerDefinitions"][0]["Image"] == {"Ref": "Image"}


def test_the_caddyfile_says_what_it_cannot_know_yet(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "caddyfile", *CONFIG]) == 0

    printed = capsys.readouterr()
    assert "redis example-redis.endpoint.invalid:6379 fallback" in printed.out
    assert "stands for the address that `opsctl " in printed.err


def test_what_cannot_be_rendered_names_what_can(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "dbs", *CONFIG]) == 2

    assert (
        "hint: one of: db, ecr, ecs, alarms, caddyfile, task-definition" in capsys.readouterr().err
    )


def test_a_missing_caddyfile_template_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "opsctl.yaml").write_text((ROOT / "opsctl.example.yaml").read_text())
    assert main(["render", "caddyfile", "-c", str(tmp_path / "opsctl.yaml")]) == 2

    assert "Caddyfile_template` cannot be read" in capsys.readouterr().err


def test_a_template_that_is_not_utf8_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "opsctl.yaml").write_bytes((ROOT / "opsctl.example.yaml").read_bytes())
    (tmp_path / "Caddyfile_template").write_bytes(b"# one\n# caf\xe9\n")

    assert main(["render", "caddyfile", "-c", str(tmp_path / "opsctl.yaml")]) == 2

    assert "Caddyfile_template:2: the text is not UTF-8" in capsys.readouterr().err
