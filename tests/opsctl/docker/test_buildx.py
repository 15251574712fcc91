"""BuildKit through a docker CLI that has buildx; here a script stands in for it."""

import os
import tempfile
from pathlib import Path

import pytest

from opsctl.docker import BuildRequest, Progress, buildx
from opsctl.docker.buildx import Buildx
from opsctl.errors import DockerError

SCRIPT = """\
#!/bin/sh
[ "$2" = version ] && { [ -z "$BUILDX_MISSING" ]; exit $?; }
printf '%s\\n' "$@" > "$FOLDER/words"
printf '%s' "$TOKEN" > "$FOLDER/token"
cat > "$FOLDER/context"
printf '#1 [internal] load build definition\\n\\n#5 [service 2/9] RUN true\\n' >&2
printf '#5 0.513 the reason\\n' >&2
if [ -n "$BUILD_FAILS" ]; then
  echo 'ERROR: failed to build: failed to solve: process "/bin/sh -c false" did not complete' >&2
  exit 1
fi
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "docker").write_text(SCRIPT)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FOLDER", str(tmp_path))
    return tmp_path


def build(found: Buildx | None, **more: bool) -> list[Progress]:
    assert found is not None
    request = BuildRequest(
        "Dockerfile",
        "web:1",
        "service",
        {"io.opsctl.content": "abc"},
        {"COMMIT": "f00", "TOKEN": "canary-arg-3d", "PATH": "/bin"},
        "linux/amd64",
        "host",
        **more,
    )
    with tempfile.TemporaryFile() as archive:
        archive.write(b"a tar")
        archive.seek(0)
        return list(found.build(archive, request))


def test_the_same_build_is_asked_of_buildx(folder: Path) -> None:
    *steps, last = build(buildx.find(), pull=True, fresh=True)
    words = (folder / "words").read_text().split("\n")
    for word in ("--load", "--pull", "--no-cache", "linux/amd64", "io.opsctl.content=abc"):
        assert word in words
    assert words[:2] == ["buildx", "build"] and words[-2] == "-"
    assert (folder / "context").read_bytes() == b"a tar"
    assert [step.text for step in steps][1:] == ["[service 2/9] RUN true", "0.513 the reason"]
    assert last.result == "web:1"


def test_a_build_argument_is_on_no_command_line_unless_its_name_is_taken(folder: Path) -> None:
    build(buildx.find())
    words = (folder / "words").read_text().split("\n")
    assert "canary-arg-3d" not in " ".join(words) and "TOKEN" in words
    assert (folder / "token").read_text() == "canary-arg-3d"
    assert "PATH=/bin" in words


def test_a_build_that_fails_shows_its_last_lines(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILD_FAILS", "1")
    with pytest.raises(DockerError, match='failed: process "/bin/sh -c false" did not') as caught:
        build(buildx.find())
    assert "the reason" in caught.value.message


def test_a_cli_without_the_component_leaves_the_classic_builder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILDX_MISSING", "1")
    assert buildx.find() is None


def test_buildkit_that_is_switched_off_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    assert buildx.find() is None


def test_without_a_docker_cli_the_classic_builder_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert buildx.find() is None
