"""What the wheel holds, and what its extras bring."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the checkout with the build backend of this environment: no network."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(ROOT)],
        check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def files(wheel: Path) -> Iterator[frozenset[str]]:
    with zipfile.ZipFile(wheel) as archive:
        yield frozenset(archive.namelist())


def test_the_wheel_installs_opsctl_and_its_sandbox_and_nothing_else(files: frozenset[str]) -> None:
    tops = {name.partition("/")[0] for name in files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"opsctl", "opsctl_sandbox"}


@pytest.mark.parametrize(
    "name",
    [
        ".dockerignore",
        "Caddyfile_template",
        "Dockerfile",
        "opsctl.example.yaml",
        "requirements/service.txt",
        "service/__main__.py",
        "service/filters/redis.py",
        "templates/ecs.yaml.j2",
    ],
)
def test_the_files_of_a_system_are_data_inside_opsctl(files: frozenset[str], name: str) -> None:
    assert f"opsctl/_project/{name}" in files


def test_no_byte_code_and_no_test_is_in_the_wheel(files: frozenset[str]) -> None:
    assert not [name for name in files if name.endswith(".pyc") or "tests/" in name]
    assert "opsctl_sandbox/rehearsals/scenarios/no-room.yaml" in files


def test_an_installed_sandbox_takes_the_service_from_there(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = "from opsctl_sandbox import images; print(images.service_sources())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(tmp_path / "opsctl" / "_project" / "service")


def test_the_extra_of_the_sandbox_brings_all_that_a_task_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(extras["service"]) < set(extras["sandbox"])


def test_no_extra_asks_an_index_for_this_project_by_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirements in project["optional-dependencies"].values():
        assert not [line for line in requirements if line.startswith(("opsctl", project["name"]))]


def test_the_wheel_of_the_sdist_holds_the_same(wheel: Path, tmp_path: Path) -> None:
    def built(kind: str, source: Path) -> Path:
        code = f"import hatchling.build as b; print(b.build_{kind}({str(tmp_path)!r}))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=source, check=True, capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        return tmp_path / done.stdout.split()[-1]

    with tarfile.open(built("sdist", ROOT)) as archive:
        archive.extractall(tmp_path, filter="data")
    [source] = [one for one in tmp_path.iterdir() if one.is_dir()]
    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(built("wheel", source)) as theirs:
        assert {one.filename: one.CRC for one in theirs.infolist()} == {
            one.filename: one.CRC for one in ours.infolist()
        }
