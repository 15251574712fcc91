"""What others' linters say of every case of the matrix: cfn-lint, checkov, shellcheck.

checkov pins half of PyPI, so it lives outside the project's environment: `CHECKOV` names it, as
`make check` does.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from opsctl.config import document, load
from opsctl.stacks import definition, template

MATRIX: list[list[str]] = yaml.safe_load(Path(__file__).with_name("matrix.yaml").read_text())
ROOT = Path(__file__).parents[3]
LISTED = yaml.safe_load((ROOT / "templates" / "checkov-exceptions.yaml").read_text())
TEXT = "name: example\nnetwork: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}\n"
CHECKOV = os.environ.get("CHECKOV") or shutil.which("checkov")
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with each different template of the matrix, and of the example."""
    folder = tmp_path_factory.mktemp("templates")
    configs = [
        load.link(
            document.parse(TEXT, "opsctl.yaml"), environment=None, environ={}, overrides=sets
        ).config
        for sets in MATRIX
    ]
    configs.append(load.load(ROOT / "opsctl.example.yaml", environment=None, environ={}).config)
    seen: set[str] = set()
    for number, config in enumerate(configs):
        for build in (definition.db, definition.ecr, definition.ecs, definition.alarms):
            stack = build(config)
            if stack.template not in seen:
                seen.add(stack.template)
                (folder / f"{number}-{stack.kind}.yaml").write_text(stack.template)
    anew = definition.ecs(configs[0], deregistered="web:1")
    (folder / "anew-ecs.yaml").write_text(anew.template)
    return folder


def test_cfn_lint_has_nothing_to_say(templates: Path) -> None:
    command = [str(BIN / "cfn-lint"), "--non-zero-exit-code", "informational"]
    done = subprocess.run(
        [*command, "--regions", "us-east-1", "--", *sorted(map(str, templates.iterdir()))],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_shellcheck_has_nothing_to_say_of_what_an_instance_runs(
    templates: Path, tmp_path: Path
) -> None:
    scripts = set()
    for path in templates.glob("*-ecs.yaml"):
        resources = template.read(path.read_text())["Resources"]
        launch = resources.get("LaunchTemplate", resources.get("LaunchConfiguration"))["Properties"]
        data = launch.get("LaunchTemplateData", launch)["UserData"]["Fn::Base64"]["Fn::Sub"]
        # What CloudFormation puts there is plain text to the shell.
        text = re.sub(r"\$\{([A-Za-z:]+)\}", "cloudformation", data)
        scripts.add(text)
        scripts.update(re.findall(r"<<'(?:SIGNAL|JOIN)'\n(.*?)\n(?:SIGNAL|JOIN)\n", text, re.S))
    for number, text in enumerate(sorted(scripts)):
        (tmp_path / f"{number}.sh").write_text(text)
    assert len(scripts) > 2
    done = subprocess.run(
        [str(BIN / "shellcheck"), *map(str, tmp_path.glob("*.sh"))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_every_exception_has_a_reason() -> None:
    assert all(each["reason"] for each in LISTED)


@pytest.mark.skipif(CHECKOV is None, reason="no checkov on this machine; CHECKOV names one")
def test_checkov_finds_what_is_listed_and_nothing_else(templates: Path) -> None:
    done = subprocess.run(
        [str(CHECKOV), "-d", ".", "--framework", "cloudformation", "--quiet", "-o", "json"]
        + ["--skip-download"],
        cwd=templates,
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
