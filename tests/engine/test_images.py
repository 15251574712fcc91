"""From a directory to a digest that the registry confirms, with a real engine and registry."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
import pytest

from opsctl import docker
from opsctl.config.model import Image
from opsctl.docker import BuildRequest, Engine
from opsctl.errors import DockerError
from opsctl.images import base, context, make, registry, transfer
from opsctl.images.registry import Repository
from opsctl.images.revision import Revision

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient


@pytest.fixture
def engine(engine_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("DOCKER_HOST", engine_host)
    engine = docker.connect()
    yield engine
    engine.close()


@pytest.fixture
def ecr(ministack: str) -> Iterator["ECRClient"]:
    client = boto3.client(
        "ecr",
        endpoint_url=ministack,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    yield client
    client.close()


@pytest.fixture
def repository(ecr: "ECRClient", ministack: str) -> Repository:
    name = f"tests/{uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    return Repository(name, f"{ministack.removeprefix('http://')}/{name}")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch AS service\nCOPY file generated /\n")
    (tmp_path / "file").write_text(uuid4().hex)
    return tmp_path


def made(engine: Engine, ecr: "ECRClient", repository: Repository, directory: Path) -> str:
    image = Image()
    found = context.load(image, directory, {"generated": b"text"})
    tags = make.tags(found, Revision("f" * 40))
    architecture = "x86_64"
    reference = f"{repository.uri}:{tags.release}"
    list(
        make.build(
            engine,
            image,
            found,
            reference=reference,
            labels=make.labels(found, Revision("f" * 40), config="c", caddyfile="d"),
            commit="f" * 40,
            architecture=architecture,
        )
    )
    *_, last = make.push(engine, ecr, repository, tags, registry.login(ecr), sleep=lambda _: None)
    assert registry.digest(ecr, repository, tags.release) == last.progress.result
    return last.progress.result


def test_the_digest_pushed_is_the_digest_in_the_registry(
    engine: Engine, ecr: "ECRClient", repository: Repository, directory: Path
) -> None:
    digest = made(engine, ecr, repository, directory)
    held = registry.resolve(ecr, repository, digest)
    assert held.reference == f"{repository.uri}@{digest}"


def test_the_same_content_pushed_twice_keeps_the_first_digest(
    engine: Engine, ecr: "ECRClient", repository: Repository, directory: Path
) -> None:
    assert made(engine, ecr, repository, directory) == made(engine, ecr, repository, directory)


def test_an_image_for_other_instances_is_refused(
    engine: Engine, repository: Repository, directory: Path
) -> None:
    image = Image(platform="linux/amd64")
    with pytest.raises(DockerError, match="but the instances are arm64"):
        list(
            make.build(
                engine,
                image,
                context.load(image, directory, {"generated": b""}),
                reference=f"{repository.uri}:other",
                labels={},
                commit="",
                architecture="arm64",
            )
        )


def test_an_image_that_is_not_there_is_said_so(ecr: "ECRClient", repository: Repository) -> None:
    with pytest.raises(DockerError, match="holds no image `sha256:00"):
        registry.resolve(ecr, repository, "sha256:" + "0" * 64)


def test_an_image_is_promoted_to_another_repository_with_its_digest(
    engine: Engine, ecr: "ECRClient", repository: Repository, directory: Path
) -> None:
    digest = made(engine, ecr, repository, directory)
    name = f"tests/{uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    target = Repository(name, repository.uri.replace(repository.name, name))
    login = registry.login(ecr)
    *_, last = transfer.copy(
        repository, target, digest, tag="promoted", login=login, sleep=lambda _: None
    )
    assert last.result == digest == registry.digest(ecr, target, "promoted")
    # What was copied is whole: an engine that has nothing of it pulls it.
    pulled = list(engine._client.pull(target.uri, tag="promoted", stream=True, decode=True))
    assert not [one for one in pulled if "error" in one], pulled


def test_a_patched_base_image_is_other_content(engine: Engine, directory: Path) -> None:
    base_tag = f"tests/base-{uuid4().hex[:8]}:1"

    def build_base(text: str) -> base.Base:
        folder = directory / "base"
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text("FROM scratch AS service\nCOPY content /\n")
        (folder / "content").write_text(text)
        loaded = context.load(Image(), folder, {})
        with loaded.archive() as archive:
            list(engine.build(archive, BuildRequest("Dockerfile", base_tag)))
        return base.look(engine, base.references(f"FROM {base_tag}", {}))

    first, patched = build_base("one"), build_base("two")
    assert first.digest and patched.digest and first.digest != patched.digest
    contents = {
        context.load(Image(), directory, {}, base=one.digest).digest for one in (first, patched)
    }
    assert len(contents) == 2


def test_a_base_image_that_nobody_has_is_not_known(engine: Engine) -> None:
    assert base.look(engine, ("tests/nobody:1",)) == base.Base()


def test_rebuilt_content_gets_tags_of_its_own(
    engine: Engine, ecr: "ECRClient", repository: Repository, directory: Path
) -> None:
    loaded = context.load(Image(), directory, {"generated": b"text"})
    plain = make.tags(loaded, Revision("f" * 40))
    again = make.tags(loaded, Revision("f" * 40), mark="12345678")
    assert made(engine, ecr, repository, directory)
    assert registry.digest(ecr, repository, plain.content)
    assert registry.digest(ecr, repository, again.content) is None
