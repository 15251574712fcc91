"""What the doctor says of this machine and this directory."""

from pathlib import Path

import pytest

from opsctl import docker, scaffold
from opsctl.config.model import Config
from opsctl.doctor import here
from opsctl.doctor.finding import Finding
from opsctl.errors import DockerError
from opsctl.scaffold import Choices
from tests.opsctl.snapshots import config

EXAMPLE = config("caddyfile.variables={AUTH_URL: 'https://auth.example.com'}")


class Engine(docker.Engine):
    def __init__(self) -> None:
        pass

    def close(self) -> None:
        pass


def nobody() -> docker.Engine:
    raise DockerError("no Docker engine answers", hint="start Docker")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    list(scaffold.write(tmp_path, scaffold.files(Choices("web"))))
    return tmp_path


def findings(root: Path, chosen: Config = EXAMPLE, **arguments: object) -> list[Finding]:
    given = {"connect": Engine, "free": lambda path: 2**40, **arguments}
    return list(here.findings(chosen, root, **given))  # type: ignore[arg-type]  # by name


def test_what_init_writes_is_fine(root: Path) -> None:
    assert {one.level for one in findings(root)} == {"ok"}


def test_no_engine_and_no_room_are_warnings(root: Path) -> None:
    found = findings(root, connect=nobody, free=lambda path: 2**30)
    warnings = [one for one in found if one.level == "warning"]
    assert [one.fix for one in warnings] == ["start Docker", "docker system prune"]
    assert "1.0 GiB are free" in warnings[1].text


def test_a_template_that_the_service_refuses_blocks(root: Path) -> None:
    (root / "Caddyfile_template").write_text(":80 {\n    redirr / /x\n}\n")
    [one] = [one for one in findings(root) if one.area == "caddyfile"]
    assert one.level == "blocking" and "Caddyfile_template" in one.text


def test_ports_that_disagree_block(root: Path) -> None:
    chosen = config(
        "caddyfile.variables={AUTH_URL: 'https://auth.example.com'}", "ecs.ports=[80, 8082, 9000]"
    )
    assert "9000" in [one for one in findings(root, chosen) if one.level == "blocking"][0].text


def test_a_directory_without_a_dockerfile_can_still_roll_an_image(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert {one.area: one.level for one in found}["image"] == "warning"
