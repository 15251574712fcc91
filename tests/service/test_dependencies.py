"""What the service imports is what it declares, and the image installs that, pinned."""

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMPORTED_AS = {"pyyaml": "yaml"}


def imported() -> set[str]:
    names: set[str] = set()
    for file in (ROOT / "service").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"service"}


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        re.split(r"[^A-Za-z0-9_-]", text)[0] for text in project["optional-dependencies"]["service"]
    }


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    assert {IMPORTED_AS.get(name, name) for name in declared()} == imported()


def test_the_image_installs_every_declared_package_pinned() -> None:
    lines = (ROOT / "requirements" / "service.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9._-]+==[0-9a-z.]+", line) for line in pins)
    assert declared() <= {line.partition("==")[0] for line in pins}
