"""Read the certificate that the load balancer's listener presents."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_acm.client import ACMClient


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate. `status` is ACM's word (ISSUED, EXPIRED), or '' when it does not exist."""

    arn: str
    status: str = ""
    domain: str = ""
    expires: datetime | None = None


def read(acm: "ACMClient", arn: str) -> Certificate:
    try:
        described: Any = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    except acm.exceptions.ResourceNotFoundException:
        return Certificate(arn)
    return Certificate(
        arn, described.get("Status", ""), described.get("DomainName", ""), described.get("NotAfter")
    )
