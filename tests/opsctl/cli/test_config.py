"""`opsctl config`, as the command line gives it."""

import json
from pathlib import Path

import pytest

from opsctl.cli import main

EXAMPLE = Path(__file__).parents[3] / "opsctl.example.yaml"


def test_check_says_what_is_valid_and_what_is_unwise(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["config", "check", "-c", str(EXAMPLE), "--set", "compute.role=described"]
    assert main(words) == 0

    talk = capsys.readouterr().err
    assert f"`{EXAMPLE}` is valid, with `staging`" in talk
    assert talk.count("`scoped` is enough") == 1


def test_check_looks_into_every_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "opsctl.yaml"
    path.write_text(EXAMPLE.read_text() + "  later:\n    db: {nodes: 9}\n")

    assert main(["config", "check", "-c", str(path)]) == 2

    assert "db.nodes: found `9`, allowed: at most 6" in capsys.readouterr().err
    assert main(["config", "check", "-c", str(path), "--env", "staging"]) == 0


def test_show_tells_the_origin_of_each_value(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["config", "show", "--origin", "-c", str(EXAMPLE), "--set", "ecs.cpu=256"]
    assert main(words) == 0

    lines = capsys.readouterr().out.splitlines()
    assert "ecs.cpu: 256  # --set (flag)" in lines
    assert 'db.name: "example-redis"  # derived' in lines


def test_show_as_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--json", "-c", str(EXAMPLE)]) == 0

    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["type"] for row in rows} == {"config_value"}
    assert {"key", "value", "origin"} <= rows[0].keys()


def test_schema_is_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0

    assert json.loads(capsys.readouterr().out)["title"] == "opsctl.yaml"


def test_check_refuses_what_no_template_can_use(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["config", "check", "-c", str(EXAMPLE), "--set", "alarms.roll_back_on=[nope]"]
    assert main(words) == 2
    assert "names no alarm of this system: `nope`" in capsys.readouterr().err
