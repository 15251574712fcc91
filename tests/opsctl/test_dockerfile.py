"""What the repository's own Dockerfile installs and lets in."""

import tomllib
from pathlib import Path

from opsctl import docker

ROOT = Path(__file__).parents[2]


def pins(path: Path) -> dict[str, str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    found = (line.split("==") for line in lines if "==" in line)
    return {name.lower().replace("_", "-"): version for name, version in found}


def test_the_image_installs_every_requirement_of_the_service_at_the_tested_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {line.split(">=")[0] for line in project["optional-dependencies"]["service"]}
    installed, tested = pins(ROOT / "requirements/service.txt"), pins(ROOT / "constraints.txt")
    assert wanted <= installed.keys()
    assert {name: tested[name] for name in installed.keys() & tested.keys()} == {
        name: installed[name] for name in installed.keys() & tested.keys()
    }


def test_no_file_of_secrets_and_no_test_enters_an_image() -> None:
    included = docker.included(ROOT, "Dockerfile")
    assert "service/chain.py" in included
    assert not [path for path in included if path.startswith(("tests", ".git", ".secrets"))]


def test_the_dockerfile_needs_nothing_that_only_buildkit_has() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "--mount" not in text and "<<" not in text and "# syntax" not in text
