"""Cleaning up: an image goes only when nothing in the account can mean it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from opsctl.images import prune
from opsctl.images.prune import Used
from opsctl.images.registry import Repository

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient

REPOSITORY = Repository("app", "123456789012.dkr.ecr.us-east-1.amazonaws.com/app")


@pytest.fixture
def ecr() -> Iterator["ECRClient"]:
    client = boto3.client(
        "ecr", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    yield client
    client.close()


def test_only_old_images_that_nothing_names_go_and_kept_ones_do_not_count(
    ecr: "ECRClient",
) -> None:
    details = [
        {"imageDigest": f"sha256:{day}", "imagePushedAt": datetime(2026, 1, day, tzinfo=UTC)}
        for day in (2, 5, 1, 4, 3)
    ]
    with Stubber(ecr) as stub:
        stub.add_response("describe_images", {"imageDetails": details}, {"repositoryName": "app"})
        stub.add_response(
            "batch_delete_image",
            {"failures": [{"failureCode": "ImageReferencedByManifestList"}]},
            {
                "repositoryName": "app",
                "imageIds": [{"imageDigest": "sha256:3"}, {"imageDigest": "sha256:1"}],
            },
        )
        used = Used(frozenset({f"{REPOSITORY.uri}@sha256:2"}))
        assert (
            prune.prune(ecr, REPOSITORY, keep=2, used=used, since=datetime.min.replace(tzinfo=UTC))
            == 1
        )
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    "name",
    [
        "sha256:1",
        f"{REPOSITORY.uri}@sha256:1",
        f"{REPOSITORY.uri}:v1@sha256:1",
        f"{REPOSITORY.uri}:v1",
        # The same registry under another name, and a repository whose name ends in ours.
        "123456789012.dkr-ecr.us-east-1.on.aws/app:v1",
        "elsewhere/other-app:v1",
        "127.0.0.1:4566/app@sha256:1",
    ],
)
def test_every_way_to_name_an_image_keeps_it(name: str) -> None:
    assert Used(frozenset({name})).holds(REPOSITORY, "sha256:1", ("v1", "content-1"))


@pytest.mark.parametrize(
    "name", ["", "sha256:2", f"{REPOSITORY.uri}:v2", f"{REPOSITORY.uri}@sha256:2", "other:v1"]
)
def test_what_means_another_image_does_not(name: str) -> None:
    assert not Used(frozenset({name})).holds(REPOSITORY, "sha256:1", ("v1",))


def test_a_name_without_a_tag_means_latest() -> None:
    assert Used(frozenset({REPOSITORY.uri})).holds(REPOSITORY, "sha256:1", ("latest",))
    assert Used(frozenset({"127.0.0.1:4566/app"})).holds(REPOSITORY, "sha256:1", ("latest",))


@given(st.sets(st.text(max_size=30), max_size=5))
def test_no_text_that_a_task_definition_holds_breaks_the_clean_up(names: set[str]) -> None:
    Used(frozenset(names)).holds(REPOSITORY, "sha256:1", ("v1",))
