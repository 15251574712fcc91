"""ECR: the repository, a login that is not kept, and the digests of tags."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opsctl import aws
from opsctl.errors import ConfigError, DockerError, OpsError
from opsctl.images import reference
from opsctl.plural import counted

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient
    from mypy_boto3_ecr.type_defs import ImageFailureTypeDef

_DELETED_AT_ONCE = 100  # the API's limit


@dataclass(frozen=True, slots=True)
class Repository:
    name: str
    uri: str


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    password: str = field(repr=False)


def repository(ecr: "ECRClient", name: str, *, hint: str = "opsctl ecs up") -> Repository:
    try:
        repositories = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    except ecr.exceptions.RepositoryNotFoundException as error:
        raise OpsError(
            f"there is no repository `{name}`", hint=hint, cause="image-not-found"
        ) from error
    with aws.understood("repository"):
        return Repository(name, repositories[0]["repositoryUri"])


def login(ecr: "ECRClient") -> Login:
    """Return a token, valid for twelve hours. It is used for the push only."""
    given = ecr.get_authorization_token()
    with aws.understood("registry's token"):
        token = given["authorizationData"][0]["authorizationToken"]
        username, _, password = base64.b64decode(token).decode().partition(":")
    return Login(username, password)


def digest(ecr: "ECRClient", repository: Repository, tag: str) -> str | None:
    """Return the digest that `tag` has in the registry now, or None when the tag is free."""
    return _digest(ecr, repository, {"imageTag": tag})


def holds(ecr: "ECRClient", repository: Repository, digest: str) -> bool:
    """Return whether the repository has the image with this digest."""
    return bool(digest) and _digest(ecr, repository, {"imageDigest": digest}) is not None


@dataclass(frozen=True, slots=True)
class Held:
    """An image that a repository of this account holds."""

    repository: Repository
    digest: str

    @property
    def reference(self) -> str:
        return f"{self.repository.uri}@{self.digest}"


def resolve(ecr: "ECRClient", own: Repository, text: str) -> Held:
    """Return the existing image that `--image` names. Raises ConfigError if there is none.

    It may be in another repository of this account and Region, but nowhere else: the tasks' roles
    may pull from this registry only.
    """
    wanted = reference.parse(text)
    host = own.uri.partition("/")[0]
    if wanted.host and wanted.host != host:
        raise ConfigError(
            f"`{text}` is not in this account's registry, from which alone the tasks may pull",
            hint=f"push it to {own.uri} first, then run: opsctl update-tasks --image TAG",
        )
    holder = own
    if wanted.repository and wanted.repository != own.name:
        holder = repository(ecr, wanted.repository, hint="name a repository of this account")
    key = {"imageDigest": wanted.digest} if wanted.digest else {"imageTag": wanted.tag}
    digest = _digest(ecr, holder, key)
    if digest is None:
        raise DockerError(
            f"`{holder.name}` holds no image `{wanted.version}`",
            hint="the images of earlier releases: opsctl history",
            cause="image-not-found",
        )
    return Held(holder, digest)


def empty(ecr: "ECRClient", name: str) -> None:
    """Remove every image, so that the repository can be deleted.

    Does nothing without a repository. Raises OpsError when ECR keeps images.
    """
    if not name:
        return
    try:
        # An image stays while an index names it, and an index may be in another index.
        kept = _kept(ecr, name, _digests(ecr, name))
        while kept:
            digests = _digests(ecr, name)
            kept = _kept(ecr, name, digests)
            if kept and len(kept) == len(digests):
                reasons = "; ".join(sorted({one.get("failureReason", "") for one in kept}))
                raise OpsError(
                    f"ECR keeps {counted(len(kept), 'image')} of `{name}`: {reasons}",
                    hint="remove them in the console, then run the same command again",
                )
    except ecr.exceptions.RepositoryNotFoundException:
        return


def delete(ecr: "ECRClient", repository: str, digests: Sequence[str]) -> int:
    """Delete images and return how many are gone."""
    return len(digests) - len(_kept(ecr, repository, digests))


def _digests(ecr: "ECRClient", name: str) -> list[str]:
    """Return the digest of every image once; ECR lists an image once for each of its tags."""
    pages = ecr.get_paginator("list_images").paginate(repositoryName=name)
    return sorted({one["imageDigest"] for page in pages for one in page["imageIds"]})


def _kept(ecr: "ECRClient", name: str, digests: Sequence[str]) -> "list[ImageFailureTypeDef]":
    """Delete images, and return those that stay: ECR answers 200 even for images that it keeps."""
    kept: list[ImageFailureTypeDef] = []
    for start in range(0, len(digests), _DELETED_AT_ONCE):
        batch = digests[start : start + _DELETED_AT_ONCE]
        answer = ecr.batch_delete_image(
            repositoryName=name, imageIds=[{"imageDigest": digest} for digest in batch]
        )
        kept += answer.get("failures", ())
    return [one for one in kept if one.get("failureCode") != "ImageNotFound"]


def _digest(ecr: "ECRClient", repository: Repository, wanted: dict[str, str]) -> str | None:
    try:
        images = ecr.describe_images(
            repositoryName=repository.name,
            imageIds=[wanted],  # type: ignore[list-item]  # a TypedDict with one of two keys
        )["imageDetails"]
    except ecr.exceptions.ImageNotFoundException:
        return None
    return images[0]["imageDigest"] if images else None
