import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from opsctl.errors import ConfigError, DockerError, OpsError
from opsctl.images import registry
from opsctl.images.registry import Login, Repository

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient

REPOSITORY = Repository("app", "123456789012.dkr.ecr.us-east-1.amazonaws.com/app")
DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def ecr() -> Iterator["ECRClient"]:
    client = boto3.client(
        "ecr", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    yield client
    client.close()


def test_a_login_is_the_tokens_two_halves_and_is_never_shown(ecr: "ECRClient") -> None:
    token = base64.b64encode(b"AWS:canary").decode()
    with Stubber(ecr) as stub:
        stub.add_response(
            "get_authorization_token", {"authorizationData": [{"authorizationToken": token}]}
        )
        login = registry.login(ecr)
    assert login == Login("AWS", "canary")
    assert "canary" not in repr(login)


def test_a_missing_repository_is_said_with_the_command_that_makes_it(ecr: "ECRClient") -> None:
    with Stubber(ecr) as stub, pytest.raises(OpsError, match="no repository `app`") as caught:
        stub.add_client_error("describe_repositories", "RepositoryNotFoundException")
        registry.repository(ecr, "app")
    assert caught.value.hint == "opsctl ecs up"


@pytest.mark.parametrize(
    ("reference", "asked"),
    [
        ("v1", {"imageTag": "v1"}),
        (DIGEST, {"imageDigest": DIGEST}),
        (f"{REPOSITORY.uri}:v1", {"imageTag": "v1"}),
        (f"{REPOSITORY.uri}@{DIGEST}", {"imageDigest": DIGEST}),
    ],
)
def test_every_way_to_name_an_image_becomes_its_digest(
    ecr: "ECRClient", reference: str, asked: dict[str, str]
) -> None:
    with Stubber(ecr) as stub:
        stub.add_response(
            "describe_images",
            {"imageDetails": [{"imageDigest": DIGEST}]},
            {"repositoryName": "app", "imageIds": [asked]},
        )
        held = registry.resolve(ecr, REPOSITORY, reference)
        assert held.reference == f"{REPOSITORY.uri}@{DIGEST}"


def test_an_image_of_another_registry_is_refused_before_anything_is_asked(
    ecr: "ECRClient",
) -> None:
    for text in ("docker.io/library/app:1", f"registry.invalid/app@{DIGEST}"):
        with pytest.raises(ConfigError, match="is not in this account's registry") as caught:
            registry.resolve(ecr, REPOSITORY, text)
        assert REPOSITORY.uri in (caught.value.hint or "")


def test_an_image_of_another_repository_of_the_account_is_looked_up_there(
    ecr: "ECRClient",
) -> None:
    uri = REPOSITORY.uri.replace("/app", "/staging")
    with Stubber(ecr) as stub:
        for _ in range(2):
            stub.add_response(
                "describe_repositories",
                {"repositories": [{"repositoryUri": uri}]},
                {"repositoryNames": ["staging"]},
            )
            stub.add_response(
                "describe_images",
                {"imageDetails": [{"imageDigest": DIGEST}]},
                {"repositoryName": "staging", "imageIds": [{"imageTag": "v1"}]},
            )
        for text in ("staging:v1", f"{uri}:v1"):
            held = registry.resolve(ecr, REPOSITORY, text)
            assert held.repository.name == "staging" and held.digest == DIGEST


def test_an_image_that_is_not_there_is_refused(ecr: "ECRClient") -> None:
    with Stubber(ecr) as stub, pytest.raises(DockerError, match="holds no image `v1`"):
        stub.add_client_error("describe_images", "ImageNotFoundException")
        registry.resolve(ecr, REPOSITORY, "v1")
