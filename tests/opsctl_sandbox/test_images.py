"""An image without an engine: packed, pushed, found by ECR, and unpacked again."""

import urllib.request
from pathlib import Path

import pytest

from opsctl_sandbox import images
from opsctl_sandbox.errors import SandboxError
from opsctl_sandbox.process.home import Sandbox
from tests.opsctl_sandbox.clients import Connect, registry


@pytest.fixture
def service(tmp_path: Path) -> Path:
    package = tmp_path / "service"
    (package / "filters" / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "filters" / "redir.py").write_text("x = 1\n")
    (package / "filters" / "__pycache__" / "redir.pyc").write_bytes(b"junk")
    return package


def test_equal_files_give_equal_digests(service: Path) -> None:
    first = images.pack(service, ":80 {\n}\n")
    (service / "__init__.py").touch()

    assert images.pack(service, ":80 {\n}\n").digest == first.digest
    assert images.pack(service, ":81 {\n}\n").digest != first.digest


def test_what_is_pushed_is_known_to_ecr_and_comes_out_again(
    sandbox: Sandbox, connect: Connect, service: Path, tmp_path: Path, unique: str
) -> None:
    ecr = connect("ecr")
    made = ecr.create_repository(repositoryName=unique)["repository"]
    reference = registry(sandbox).push(unique, images.pack(service, "file"), tag="v1")
    found = ecr.describe_images(repositoryName=unique)["imageDetails"][0]

    assert reference == f"{made['repositoryUri']}@{found['imageDigest']}"
    registry(sandbox).unpack(reference, tmp_path / "out")
    assert (tmp_path / "out" / "Caddyfile").read_text() == "file"
    written = {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")
    }
    assert written == {"service/__init__.py", "service/filters/redir.py"}


def test_a_tag_finds_the_image_too(
    sandbox: Sandbox, connect: Connect, service: Path, tmp_path: Path, unique: str
) -> None:
    connect("ecr").create_repository(repositoryName=unique)
    registry(sandbox).push(unique, images.pack(service, "one"), tag="v1")
    registry(sandbox).unpack(f"123.dkr.ecr.amazonaws.com/{unique}:v1", tmp_path / "out")

    assert (tmp_path / "out" / "Caddyfile").read_text() == "one"


def test_a_missing_image_is_an_error_in_the_words_of_ecs(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="CannotPullContainerError.*not found"):
        registry(sandbox).unpack("host/absent@sha256:" + "0" * 64, tmp_path)


def test_a_push_to_no_repository_is_refused(sandbox: Sandbox, service: Path) -> None:
    with pytest.raises(SandboxError, match="no repository `absent` yet") as refused:
        registry(sandbox).push("absent", images.pack(service, ""), tag="v1")
    assert refused.value.hint == "opsctl ecs up"


def test_the_registry_answers_at_the_address_a_login_names(connect: Connect) -> None:
    login = connect("ecr").get_authorization_token()["authorizationData"][0]
    headers = {"Authorization": f"Basic {login['authorizationToken']}"}
    request = urllib.request.Request(f"{login['proxyEndpoint']}/v2/", headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("host:5000/web@sha256:ab", "127.0.0.1:9/web@sha256:ab"),
        ("1.dkr.ecr.us-east-1.amazonaws.com/team/web:v1", "127.0.0.1:9/team/web:v1"),
        ("host/web", "127.0.0.1:9/web:latest"),
        ("host/web:v1@sha256:ab", "127.0.0.1:9/web@sha256:ab"),
    ],
)
def test_whatever_host_a_reference_names_this_registry_has_the_image(
    named: str, found: str
) -> None:
    assert images.at("127.0.0.1:9", named) == found
