"""The partitions of AWS, by the beginnings of their Regions."""

import re

_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
_COMMON = re.compile(r"(af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-[0-9]")


def partition(region: str) -> str | None:
    """Return the partition of the Regions that most people have, else None."""
    known = (one for start, one in _PARTITIONS.items() if region.startswith(start))
    return next(known, "aws" if _COMMON.match(region) else None)
