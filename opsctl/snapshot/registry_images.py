"""Whether ECR holds the images that the service's task definitions name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef

_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.[^/]+/(?P<name>[^@:]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)


@dataclass(frozen=True, slots=True)
class RegistryImage:
    """`held` is False when the repository, or this image in it, is not there."""

    reference: str
    held: bool
    tags: tuple[str, ...] = ()
    pushed: datetime | None = None


def read(ecr: "ECRClient", references: Iterable[str]) -> tuple[RegistryImage, ...]:
    """Those that are ECR's; of other registries nothing is known."""
    ours = [(one, match) for one in dict.fromkeys(references) if (match := _ECR.fullmatch(one))]
    return tuple(together([partial(_image, ecr, one, match) for one, match in ours]))


def _image(ecr: "ECRClient", reference: str, named: re.Match[str]) -> RegistryImage:
    wanted: ImageIdentifierTypeDef = (
        {"imageDigest": named["digest"]}
        if named["digest"]
        else {"imageTag": named["tag"] or "latest"}
    )
    try:
        described = ecr.describe_images(
            registryId=named["account"], repositoryName=named["name"], imageIds=[wanted]
        )["imageDetails"]
    except (ecr.exceptions.ImageNotFoundException, ecr.exceptions.RepositoryNotFoundException):
        return RegistryImage(reference, held=False)
    if not described:
        return RegistryImage(reference, held=False)
    return RegistryImage(
        reference,
        held=True,
        tags=tuple(described[0].get("imageTags", ())),
        pushed=described[0].get("imagePushedAt"),
    )
