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

_NAMED = r"(?P<name>{name})(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
# Also of the FIPS and dual-stack endpoints.
_HOST = r"{account}\.dkr[.-]ecr(?:-fips)?\.{region}\.[^/]+"


@dataclass(frozen=True, slots=True)
class RegistryImage:
    """An image. `held` is False when the repository, or this image in it, does not exist."""

    reference: str
    held: bool
    tags: tuple[str, ...] = ()
    pushed: datetime | None = None


def read(
    ecr: "ECRClient", references: Iterable[str], *, account: str, region: str, own: str = ""
) -> tuple[RegistryImage, ...]:
    """Return the images in ECR of this account and Region, and in our `own` repository.

    Other registries are not read: this caller's answer would say nothing about the instances'.
    """
    host = _HOST.format(account=re.escape(account), region=re.escape(region))
    patterns = [re.compile(f"{host}/{_NAMED.format(name='[^@:]+')}")]
    if own:
        # An endpoint other than AWS has its own registry, so our repository may have any host name.
        host, _, name = map(re.escape, own.partition("/"))
        patterns.append(re.compile(f"{host}/{_NAMED.format(name=name)}"))
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
