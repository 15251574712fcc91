"""Upload templates that are too long for a call into a private bucket.

Bucket names can be guessed, and somebody else may have taken one to give CloudFormation their own
template. So our bucket is in the account's namespace, where nobody else can create one, and every
call names the expected owner:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/gpbucketnamespaces.html
"""

import hashlib
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.aws.failed_calls import DENIED
from opsctl.errors import OpsError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

    from opsctl.aws import Clients

MAXIMUM = 1_000_000  # bytes of a template in a bucket


def upload(clients: "Clients", bucket: str | None, stack: str, template: bytes) -> str:
    """Upload the template and return its URL. Creates the bucket if it does not exist.

    With `bucket` None, it is `opsctl-ACCOUNT-REGION-an`. Raises OpsError for a template that is too
    long for CloudFormation.
    """
    if len(template) > MAXIMUM:
        raise OpsError(
            f"the template of `{stack}` has {len(template):,} bytes, and CloudFormation takes "
            f"{MAXIMUM:,} at most",
            hint="make the config's lists shorter",
        )
    account = clients.sts.get_caller_identity()["Account"]
    name = bucket or f"opsctl-{account}-{clients.region}-an"
    s3 = clients.s3
    if not _exists(s3, name, account, clients.region):
        _create(s3, name, account, clients.region, ours=bucket is None)
    key = f"opsctl/{stack}/{hashlib.sha256(template).hexdigest()}.yaml"
    s3.put_object(
        Bucket=name,
        Key=key,
        Body=template,
        ServerSideEncryption="AES256",
        ExpectedBucketOwner=account,
    )
    # Use the Region's endpoint: a global one may answer with a redirect, which CloudFormation
    # refuses.
    return f"{s3.meta.endpoint_url}/{name}/{key}"


def _exists(s3: "S3Client", name: str, account: str, region: str) -> bool:
    """Return whether the bucket exists.

    Raises OpsError for a bucket of another account or Region.
    """
    try:
        seen = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
    except s3.exceptions.ClientError as error:
        if aws.code(error) in ("404", "NoSuchBucket"):
            return False
        if aws.code(error) in ("403", "AccessDenied"):
            raise OpsError(
                f"the bucket `{name}` belongs to another account, or this caller may not read it",
                hint="set `aws.bucket` in opsctl.yaml to a bucket of this account",
            ) from error
        raise
    there = seen.get("BucketRegion", region)
    if there != region:
        # Our URL leads to this Region's endpoint, which CloudFormation would not get it from.
        raise OpsError(
            f"the bucket `{name}` is in {there}, and the stacks are in {region}",
            hint="set `aws.bucket` in opsctl.yaml to a bucket of this Region",
        )
    return True


def _create(s3: "S3Client", name: str, account: str, region: str, *, ours: bool) -> None:
    given: dict[str, Any] = {"BucketNamespace": "account-regional"} if ours else {}
    if region != "us-east-1":
        given["CreateBucketConfiguration"] = {"LocationConstraint": region}
    try:
        s3.create_bucket(Bucket=name, **given)
    except s3.exceptions.BucketAlreadyOwnedByYou:
        return  # another operator was faster
    except s3.exceptions.ClientError as error:
        # A Region or endpoint without this namespace refuses the parameter or the name.
        if not ours or aws.fault(error) != "refused" or aws.code(error) in DENIED:
            raise
        raise OpsError(
            f"S3 would not make `{name}` in the account's namespace: {aws.translate(error)}",
            hint="make a private bucket in this account and Region, and set `aws.bucket` in "
            "opsctl.yaml to its name",
        ) from error
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
        ExpectedBucketOwner=account,
    )
