"""Remove old images, but none that anything in the account may use. In doubt, keep it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from opsctl.images import registry
from opsctl.images.registry import Repository

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient


@dataclass(frozen=True, slots=True)
class Used:
    """References and digests that something uses. Images with these names are kept."""

    names: frozenset[str]

    def holds(self, repository: Repository, digest: str, tags: Iterable[str]) -> bool:
        """Return whether a name may mean this image, by its digest or one of its tags."""
        if digest in self.names:
            return True
        for name in self.names:
            address, _, stated = name.partition("@")
            if stated == digest:
                return True
            path, colon, tag = address.rpartition(":")
            if not colon or "/" in tag:
                path, tag = address, "latest"
            # Compare without the host: the registry may have another alias.
            if path.endswith(repository.name) and tag in tags:
                return True
        return False


def prune(
    ecr: "ECRClient",
    repository: Repository,
    *,
    keep: int,
    used: Used,
    since: datetime,
) -> int:
    """Remove unused images beyond the newest `keep`. Return how many were removed.

    Images pushed before `since` stay: `used` may not know who uses them.
    """
    images: list[tuple[datetime, str, tuple[str, ...]]] = []
    for page in ecr.get_paginator("describe_images").paginate(repositoryName=repository.name):
        images += [
            (one["imagePushedAt"], one["imageDigest"], tuple(one.get("imageTags", ())))
            for one in page["imageDetails"]
        ]
    old = [one for one in sorted(images, reverse=True)[keep:] if one[0] >= since]
    free = [digest for _, digest, tags in old if not used.holds(repository, digest, tags)]
    return registry.delete(ecr, repository.name, free)
