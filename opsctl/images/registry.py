"""ECR's side of an image: the repository, a login that is not kept, and what a tag points at."""

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from opsctl.errors import DockerError, OpsError

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef

_DELETED_AT_ONCE = 100  # the API's limit


@dataclass(frozen=True, slots=True)
class Repository:
    name: str
    uri: str


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    password: str = field(repr=False)


def repository(ecr: "ECRClient", name: str) -> Repository:
    try:
        found = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    except ecr.exceptions.RepositoryNotFoundException as error:
        raise OpsError(f"there is no repository `{name}`", hint="opsctl ecs up") from error
    return Repository(name, found[0]["repositoryUri"])


def login(ecr: "ECRClient") -> Login:
    """A token for twelve hours; it goes into the push and nowhere else."""
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    username, _, password = base64.b64decode(token).decode().partition(":")
    return Login(username, password)


def digest(ecr: "ECRClient", repository: Repository, tag: str) -> str | None:
    """The digest that `tag` has in the registry now; None when the tag is free."""
    return _digest(ecr, repository, {"imageTag": tag})


def resolve(ecr: "ECRClient", repository: Repository, reference: str) -> str:
    """A tag, a digest or a whole reference as `uri@sha256:…`, known to be in the repository."""
    if reference.startswith(f"{repository.uri}@"):
        wanted = {"imageDigest": reference.rpartition("@")[2]}
    elif reference.startswith("sha256:"):
        wanted = {"imageDigest": reference}
    elif reference.startswith(f"{repository.uri}:"):
        wanted = {"imageTag": reference.removeprefix(f"{repository.uri}:")}
    elif "/" in reference:
        # Another registry: nothing to ask about it here; ECS will.
        return reference
    else:
        wanted = {"imageTag": reference}
    found = _digest(ecr, repository, wanted)
    if found is None:
        raise DockerError(
            f"`{repository.name}` holds no image `{reference}`",
            hint=f"aws ecr describe-images --repository-name {repository.name}",
            cause="image-not-found",
        )
    return f"{repository.uri}@{found}"


def prune(ecr: "ECRClient", repository: Repository, *, keep: int, used: Collection[str]) -> int:
    """Remove all but the newest `keep` images and those whose references are in `used`.

    Returns how many are gone.
    """
    images: list[tuple[datetime, str]] = []
    for page in ecr.get_paginator("describe_images").paginate(repositoryName=repository.name):
        images += [(image["imagePushedAt"], image["imageDigest"]) for image in page["imageDetails"]]
    in_use = {reference.rpartition("@")[2] for reference in used}
    old = [digest for _, digest in sorted(images, reverse=True)[keep:] if digest not in in_use]
    return _delete(ecr, repository.name, [{"imageDigest": digest} for digest in old])


def empty(ecr: "ECRClient", name: str) -> None:
    """Remove every image, so that the repository can be deleted; nothing without a repository."""
    if not name:
        return
    try:
        for page in ecr.get_paginator("list_images").paginate(repositoryName=name):
            _delete(ecr, name, page["imageIds"])
    except ecr.exceptions.RepositoryNotFoundException:
        return


def _delete(ecr: "ECRClient", repository: str, images: "Sequence[ImageIdentifierTypeDef]") -> int:
    """How many are gone: ECR answers 200 also for images that it keeps, and says why."""
    kept = 0
    for start in range(0, len(images), _DELETED_AT_ONCE):
        batch = images[start : start + _DELETED_AT_ONCE]
        answer = ecr.batch_delete_image(repositoryName=repository, imageIds=batch)
        kept += len(answer.get("failures", ()))
    return len(images) - kept


def _digest(ecr: "ECRClient", repository: Repository, wanted: dict[str, str]) -> str | None:
    try:
        found = ecr.describe_images(
            repositoryName=repository.name,
            imageIds=[wanted],  # type: ignore[list-item]  # a TypedDict with one of two keys
        )["imageDetails"]
    except ecr.exceptions.ImageNotFoundException:
        return None
    return found[0]["imageDigest"] if found else None
