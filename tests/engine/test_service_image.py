"""The repository's own Dockerfile, for real: built, pushed, pulled by digest, run, asked."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen
from uuid import uuid4

import boto3
import pytest
from docker import DockerClient

from opsctl import docker
from opsctl.config.model import Image
from opsctl.docker import Engine
from opsctl.errors import DockerError
from opsctl.images import context, make, registry
from opsctl.images.registry import Repository
from opsctl.images.revision import Revision
from tests.engine.ports import free_ports

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient

ROOT = Path(__file__).parents[2]
# The engine has no bridge, so the build reaches the package index through the host's network.
IMAGE = Image(network="host", build_args={"PIP_DEFAULT_TIMEOUT": "120"})
COMMIT = "c0ffee" * 6 + "beef"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would give, with a secret lying about that must not enter the image."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("Dockerfile", ".dockerignore"):
        shutil.copy(ROOT / name, folder)
    for name in ("service", "requirements"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / ".secrets.yml").write_text("refresh_token: canary-in-the-working-tree\n")
    return folder


@pytest.fixture(scope="module")
def engine(engine_host: str) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine_host)
        engine = docker.connect()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def client(engine_host: str) -> Iterator[DockerClient]:
    client = DockerClient(base_url=engine_host)
    yield client
    client.close()


def build(engine: Engine, folder: Path, reference: str, caddyfile: str) -> list[str]:
    found = context.load(
        IMAGE, folder, {"Caddyfile": caddyfile.encode(), ".secrets.yml": b"token: ssm:/token\n"}
    )
    labels = make.labels(found, Revision(COMMIT), config="c", caddyfile="d")
    return [
        event.progress.text
        for event in make.build(
            engine,
            IMAGE,
            found,
            reference=reference,
            labels=labels,
            commit=COMMIT,
            architecture="x86_64",
        )
    ]


def answer(request: Request | str) -> tuple[int, Any]:
    """Ask until the service listens; an HTTP error is an answer."""
    for _ in range(200):
        try:
            with urlopen(request, timeout=5) as response:
                text = response.read().decode()
                return response.status, json.loads(text) if text.startswith("{") else text
        except HTTPError as error:
            error.close()
            return error.code, None
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError("the container never answered")


def caddyfile(health: int, port: int) -> str:
    return f"""
:{health} {{
    redir / /health.txt
}}
:{port} {{
    transformrequest {{
        scope off
    }}
    redis localhost:6379 testing
    transformresponse
}}
"""


@pytest.fixture(scope="module")
def pushed(
    engine: Engine, client: DockerClient, checkout: Path, ministack: str
) -> tuple[str, int, int]:
    """`uri@digest` of the pushed image, no tag of which is left in the engine; its ports."""
    ecr: ECRClient = boto3.client(
        "ecr",
        endpoint_url=ministack,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    name = f"tests/{uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    repository = Repository(name, f"{ministack.removeprefix('http://')}/{name}")
    health, port = free_ports(2)
    tags = make.Tags("content-1", "release-1")
    build(engine, checkout, f"{repository.uri}:release-1", caddyfile(health, port))
    login = registry.login(ecr)
    *_, last = make.push(engine, ecr, repository, tags, login, sleep=time.sleep)
    for tag in ("content-1", "release-1"):
        client.images.remove(f"{repository.uri}:{tag}", force=True)
    ecr.close()
    return f"{repository.uri}@{last.progress.result}", health, port


@pytest.fixture
def container(client: DockerClient, pushed: tuple[str, int, int]) -> Iterator[Any]:
    """Run as ECS runs it: by digest, read-only, without any capability."""
    reference, health, _ = pushed
    client.images.pull(reference)
    container = client.containers.run(
        reference,
        detach=True,
        network_mode="host",
        read_only=True,
        tmpfs={"/tmp": ""},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        environment={"HEALTH_PORT": str(health)},
        mem_limit="400m",
    )
    yield container
    container.remove(force=True)


def test_the_pushed_image_keeps_and_gives_back_an_entity(
    container: Any, pushed: tuple[str, int, int]
) -> None:
    _, health, port = pushed
    entity = "/v1/cids/7/entity_types/user/domains/profile/keys/ann"
    url = f"http://127.0.0.1:{port}{entity}"
    assert answer(f"http://127.0.0.1:{health}/health.txt")[0] == 200
    assert answer(Request(f"{url}?name=Ann", method="PUT"))[0] == 201, container.logs().decode()
    status, found = answer(url)
    assert status == 200
    assert found["key"] == "ann" and found["attributes"] == {"name": "Ann"}


def test_the_container_is_nobody_and_tells_its_commit(
    container: Any, pushed: tuple[str, int, int]
) -> None:
    _, health, _ = pushed
    status, found = answer(f"http://127.0.0.1:{health}/status")
    assert status == 200
    assert found["commit"] == COMMIT
    assert container.exec_run("id -u").output.strip() == b"10001"
    assert container.exec_run("touch /app/file").exit_code != 0


def test_its_own_health_check_finds_it_healthy(container: Any) -> None:
    for _ in range(150):
        container.reload()
        if container.attrs["State"]["Health"]["Status"] == "healthy":
            return
        time.sleep(0.1)
    raise AssertionError(container.attrs["State"]["Health"])


def test_it_stops_on_request_within_seconds_and_with_exit_0(container: Any) -> None:
    test_its_own_health_check_finds_it_healthy(container)
    container.stop(timeout=20)
    assert container.wait()["StatusCode"] == 0


def test_it_stops_in_its_first_moment_too(container: Any) -> None:
    begin = time.monotonic()
    container.stop(timeout=20)
    assert container.wait()["StatusCode"] == 0
    assert time.monotonic() - begin < 10  # PID 1 does not hear what it has no handler for


def test_only_references_to_secrets_are_in_the_image(container: Any) -> None:
    secrets = container.exec_run("cat /app/.secrets.yml").output
    assert secrets == b"token: ssm:/token\n"


def test_a_caddyfile_that_the_service_refuses_cannot_become_an_image(
    engine: Engine, checkout: Path
) -> None:
    with pytest.raises(DockerError) as caught:
        build(engine, checkout, "tests/bad:1", ":8082 {\n    rediss localhost:6379\n}\n")
    assert "Caddyfile:2 - " in caught.value.message
