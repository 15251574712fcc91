"""What is declared is imported, and what is imported is declared."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

from opsctl.metrics import picture

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = {"opsctl", "opsctl_sandbox", "service", "tests", "bench", "scripts"}
# distribution -> what it is imported as, where that is another word
MODULES = {"pyyaml": "yaml"}
# Libraries that come with a declared one whose interface they are part of.
PART_OF = {"botocore": "boto3", "starlette": "fastapi", "requests": "docker", "certifi": "httpx"}
# Declared for what it does to another library, without an import of ours, and why.
SILENT = {
    "hiredis": "redis-py parses replies with it when it is there",
    "httptools": "uvicorn parses requests with it when it is there",
    "uvloop": "uvicorn runs on it when it is there",
}


def declared(requirements: list[str]) -> set[str]:
    names = {re.split(r"[<>=\[; ]", requirement)[0].lower() for requirement in requirements}
    return {MODULES.get(name, name) for name in names}


def imported(package: str) -> set[str]:
    """The first words of every import of a package, those inside functions too."""
    found: set[str] = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    typed = {name for name in found if name.startswith(("mypy_boto3", "types_"))}
    others = found - set(sys.stdlib_module_names) - OURS - typed
    return {PART_OF.get(name, name) for name in others}


EXTRAS = PROJECT["optional-dependencies"]


@pytest.mark.parametrize(
    ("package", "requirements"),
    [
        ("opsctl", [*PROJECT["dependencies"], *EXTRAS["png"]]),
        ("service", EXTRAS["service"]),
        ("opsctl_sandbox", [*PROJECT["dependencies"], *EXTRAS["sandbox"]]),
    ],
)
def test_what_is_imported_is_declared(package: str, requirements: list[str]) -> None:
    # ministack asks for nothing of ours; what it brings along is not ours to import.
    assert imported(package) - declared(requirements) == set()


@pytest.mark.parametrize(
    ("package", "requirements"),
    [
        ("opsctl", [*PROJECT["dependencies"], *EXTRAS["png"]]),
        ("service", EXTRAS["service"]),
    ],
)
def test_what_is_declared_is_imported(package: str, requirements: list[str]) -> None:
    assert declared(requirements) - imported(package) - set(SILENT) == set()


def test_the_hint_of_an_extra_installs_what_the_extra_declares() -> None:
    assert EXTRAS["png"] == [picture.REQUIREMENT]


def test_the_packages_that_the_project_was_asked_to_be_built_on_are_all_there() -> None:
    asked = {"typer", "rich", "boto3", "jinja2", "docker", "tenacity"}
    assert asked <= declared(PROJECT["dependencies"]) & imported("opsctl")
    assert {"fastapi", "uvicorn", "redis"} <= declared(EXTRAS["service"])
