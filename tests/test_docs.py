"""The documents agree with the code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from opsctl.cli import COMMANDS
from service import directives

ROOT = Path(__file__).parent.parent


def test_the_generated_documents_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs.py", "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "80"},
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("directive", directives.NAMES)
def test_every_directive_has_a_section(directive: str) -> None:
    text = (ROOT / "docs" / "caddyfile.md").read_text()

    assert re.search(rf"^## .*{directive}", text, re.MULTILINE)


def test_every_exit_code_of_the_error_tree_is_documented() -> None:
    from opsctl import errors

    text = (ROOT / "docs" / "exit-codes.md").read_text()
    codes = {
        each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.OpsError)
    }

    assert all(f"| {code} |" in text for code in codes)


def test_links_between_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"


def test_the_readme_names_only_commands_that_exist() -> None:
    named = set(re.findall(r"^\$? ?opsctl ([a-z-]+)", (ROOT / "README.md").read_text(), re.M))

    assert named <= set(COMMANDS)


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()

    for target in re.findall(r"`make ([a-z_]+)`", (ROOT / "README.md").read_text()):
        assert f"\n{target}:" in makefile
