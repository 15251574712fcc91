"""What a real engine says, good and bad, and what becomes of it."""

import io
import tarfile
from collections.abc import Iterator

import pytest

from opsctl import docker
from opsctl.docker import BuildRequest, Engine, Progress
from opsctl.errors import DockerError


@pytest.fixture
def engine(engine_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("DOCKER_HOST", engine_host)
    engine = docker.connect()
    yield engine
    engine.close()


def context(dockerfile: str) -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(dockerfile.encode())
        archive.addfile(member, io.BytesIO(dockerfile.encode()))
    file.seek(0)
    return file


def build(engine: Engine, dockerfile: str) -> list[Progress]:
    return list(
        engine.build(
            context(dockerfile),
            BuildRequest("Dockerfile", "tests/it:1", labels={"io.opsctl.content": "abc"}),
        )
    )


def test_a_build_tells_its_steps_and_ends_with_the_image(engine: Engine) -> None:
    *steps, last = build(engine, "FROM scratch\nCOPY Dockerfile /\n")
    assert any("COPY Dockerfile" in step.text for step in steps)
    assert last.result.startswith("sha256:")
    assert engine.architecture(last.result) in ("amd64", "arm64")


def test_a_step_that_fails_shows_its_last_lines(engine: Engine) -> None:
    with pytest.raises(DockerError) as caught:
        build(engine, "FROM python:3.11-slim\nRUN echo the reason && exit 3\n")
    assert "returned a non-zero code: 3" in caught.value.message
    assert "the reason" in caught.value.message


def test_an_instruction_nobody_knows_is_the_builds_failure(engine: Engine) -> None:
    with pytest.raises(DockerError, match="unknown instruction: FORM"):
        build(engine, "FORM scratch\n")


def test_a_push_nobody_receives_raises_although_the_stream_is_a_200(engine: Engine) -> None:
    build(engine, "FROM scratch\nCOPY Dockerfile /\n")
    engine.tag("tests/it:1", "127.0.0.1:9/tests/it", "1")
    with pytest.raises(DockerError, match=r"the push of `127.0.0.1:9/tests/it:1` failed"):
        list(engine.push("127.0.0.1:9/tests/it", "1", username="AWS", password="x"))
