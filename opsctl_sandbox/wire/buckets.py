"""Refuse to make a bucket in a Region that S3 does not take."""

import re

from opsctl_sandbox.wire import models
from opsctl_sandbox.wire.calls import Refused
from opsctl_sandbox.wire.codec import Named
from opsctl_sandbox.wire.http import Request

_CONSTRAINT = re.compile(rb"<LocationConstraint>([^<]*)</LocationConstraint>")
_DEFAULT = "us-east-1"  # whose endpoint makes buckets of every Region, and needs no constraint


def check(named: Named, request: Request) -> None:
    """Raise `Refused` when the request makes a bucket in a wrong place."""
    bucket, _, key = request.path.strip("/").partition("/")
    if (named.service, named.operation) != ("s3", "PUT") or not bucket or key or request.query:
        return
    match = _CONSTRAINT.search(request.body)
    place = match[1].decode("utf-8", "replace") if match else ""
    if place and place not in models.values("s3", "BucketLocationConstraint"):
        sentence = "The specified location-constraint is not valid"
        raise Refused("InvalidLocationConstraint", sentence)
    if named.region != _DEFAULT and place != named.region:
        raise Refused(
            "IllegalLocationConstraintException",
            f"The {place or 'unspecified'} location constraint is incompatible for the region "
            "specific endpoint this request was sent to.",
        )
