"""checkov over the matrix of options: what it finds is exactly what is listed with a reason.

checkov pins half of PyPI, so it lives outside the project's environment: `CHECKOV` names it.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from opsctl.config import document, load
from opsctl.stacks import definition

MATRIX: list[list[str]] = yaml.safe_load(Path(__file__).with_name("matrix.yaml").read_text())
LISTED = yaml.safe_load(
    (Path(__file__).parents[3] / "templates" / "checkov-exceptions.yaml").read_text()
)
TEXT = "name: example\nnetwork: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}\n"
CHECKOV = os.environ.get("CHECKOV") or shutil.which("checkov")


def test_every_exception_has_a_reason() -> None:
    assert all(each["reason"] for each in LISTED)


@pytest.mark.skipif(CHECKOV is None, reason="no checkov on this machine; CHECKOV names one")
def test_checkov_finds_what_is_listed_and_nothing_else(tmp_path: Path) -> None:
    for number, sets in enumerate(MATRIX):
        file = document.parse(TEXT, "opsctl.yaml")
        config = load.link(file, environment=None, environ={}, overrides=sets).config
        for build in (definition.db, definition.ecr, definition.ecs, definition.alarms):
            stack = build(config)
            (tmp_path / f"{number}-{stack.kind}.yaml").write_text(stack.template)
    done = subprocess.run(
        [str(CHECKOV), "-d", ".", "--framework", "cloudformation", "--quiet", "-o", "json"]
        + ["--skip-download"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 500
    found = {
        (each["check_id"], each["resource"].rsplit(".", 1)[1])
        for each in report["results"]["failed_checks"]
    }
    assert found == {(each["check"], each["resource"]) for each in LISTED}
