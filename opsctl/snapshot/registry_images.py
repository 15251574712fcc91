"""Read whether ECR holds the images that the service's task definitions name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient
    from mypy_boto3_ecr.type_defs import DescribeImagesRequestTypeDef, ImageIdentifierTypeDef

_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.[^/]+/(?P<name>[^@:]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)


@dataclass(frozen=True, slots=True)
class RegistryImage:
    """An image. `held` is False when the repository, or this image in it, does not exist."""

    reference: str
    held: bool
    tags: tuple[str, ...] = ()
    pushed: datetime | None = None


def read(
    ecr: "ECRClient", references: Iterable[str], *, own: str = ""
) -> tuple[RegistryImage, ...]:
    """Return the images in ECR and in our `own` repository; other registries are not read."""
    patterns = [_ECR]
    if own:
        # An endpoint other than AWS has its own registry, so our repository may have any host name.
        name = re.escape(own.partition("/")[2])
        host = re.escape(own.partition("/")[0])
        patterns.append(
            re.compile(
                rf"(?P<account>){host}/(?P<name>{name})(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
            )
        )
    ours = [
        (one, match)
        for one in dict.fromkeys(references)
        if (match := next(filter(None, (pattern.fullmatch(one) for pattern in patterns)), None))
    ]
    return tuple(together([partial(_image, ecr, one, match) for one, match in ours]))


def _image(ecr: "ECRClient", reference: str, named: re.Match[str]) -> RegistryImage:
    wanted: ImageIdentifierTypeDef = (
        {"imageDigest": named["digest"]}
        if named["digest"]
        else {"imageTag": named["tag"] or "latest"}
    )
    request: DescribeImagesRequestTypeDef = {
        "repositoryName": named["name"],
        "imageIds": [wanted],
    }
    if named["account"]:
        request["registryId"] = named["account"]
    try:
        described = ecr.describe_images(**request)["imageDetails"]
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
