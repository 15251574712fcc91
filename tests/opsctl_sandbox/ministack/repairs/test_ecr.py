"""ECR: what ministack gets wrong, still, and what the sandbox answers instead."""

import json

import pytest
from botocore.exceptions import ClientError

from opsctl_sandbox.process.home import Sandbox
from tests.opsctl_sandbox.clients import Connect


def test_putting_the_same_image_under_the_same_tag_again_is_refused(
    connect: Connect, plain: Connect, unique: str
) -> None:
    connect("ecr").create_repository(repositoryName=unique)
    parameters = {
        "repositoryName": unique,
        "imageManifest": '{"schemaVersion": 2}',
        "imageTag": "v1",
    }
    connect("ecr").put_image(**parameters)

    plain("ecr").put_image(**parameters)
    with pytest.raises(ClientError) as caught:
        connect("ecr").put_image(**parameters)
    assert caught.value.response["Error"]["Code"] == "ImageAlreadyExistsException"


def test_another_tag_for_the_same_image_is_taken(connect: Connect, unique: str) -> None:
    ecr = connect("ecr")
    ecr.create_repository(repositoryName=unique)
    for tag in ("v1", "v2"):
        ecr.put_image(repositoryName=unique, imageManifest="{}", imageTag=tag)

    assert set(ecr.describe_images(repositoryName=unique)["imageDetails"][0]["imageTags"]) == {
        "v1",
        "v2",
    }


def test_an_image_that_an_index_names_is_kept(
    connect: Connect, plain: Connect, unique: str
) -> None:
    def deleted(make: Connect) -> list[str]:
        name = f"{unique}-{'plain' if make is plain else 'ours'}"
        ecr = make("ecr")
        ecr.create_repository(repositoryName=name)
        one = ecr.put_image(repositoryName=name, imageManifest="{}")["image"]["imageId"]
        index = json.dumps({"manifests": [{"digest": one["imageDigest"]}]})
        whole = ecr.put_image(repositoryName=name, imageManifest=index, imageTag="v1")["image"]
        wanted = [{"imageDigest": image["imageDigest"]} for image in (one, whole["imageId"])]
        codes = []
        for _ in range(2):
            answer = ecr.batch_delete_image(repositoryName=name, imageIds=wanted[:2])
            codes += [failure["failureCode"] for failure in answer["failures"]]
        return codes

    assert deleted(plain) == ["ImageNotFound", "ImageNotFound"]
    assert deleted(connect) == ["ImageReferencedByManifestList", "ImageNotFound"]


def test_a_login_names_the_registry_that_answers(
    sandbox: Sandbox, connect: Connect, plain: Connect
) -> None:
    def endpoint(make: Connect) -> str:
        login = make("ecr").get_authorization_token()["authorizationData"][0]
        return str(login["proxyEndpoint"])

    assert endpoint(plain) != sandbox.endpoint
    assert endpoint(connect) == sandbox.endpoint
