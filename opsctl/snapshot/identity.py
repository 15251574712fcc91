"""Read the caller's identity: who, which account and Region, until when, and AWS's clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opsctl.aws import Clients


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller. `arn` is the caller's ARN. `slow` is how far this machine's clock is behind
    AWS's.

    `expires` is when the credentials end, or None if they do not end or are renewed. `emulated`
    means that an emulator answers instead of AWS.
    """

    account: str
    arn: str
    region: str
    slow: timedelta = timedelta()
    expires: datetime | None = None
    emulated: bool = False

    @property
    def is_root(self) -> bool:
        return self.arn.endswith(":root")

    @property
    def principal(self) -> str:
        """The user's or role's ARN for IAM's policy simulator: a role's, not its session's."""
        head, _, tail = self.arn.partition(":assumed-role/")
        if not tail:
            return self.arn
        return f"{head.replace(':sts:', ':iam:')}:role/{tail.partition('/')[0]}"


def read(clients: "Clients") -> Identity:
    described = clients.sts.get_caller_identity()
    date = described.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    return Identity(
        described["Account"],
        described["Arn"],
        clients.region,
        _behind(date),
        clients.credentials_end(),
        urlsplit(clients.sts.meta.endpoint_url).hostname in ("127.0.0.1", "localhost", "::1"),
    )


def _behind(date: str) -> timedelta:
    """Return how far this machine is behind the HTTP date, which has whole seconds.

    Returns 0 for a difference of up to 2 seconds, and when the date cannot be parsed.
    """
    try:
        theirs = parsedate_to_datetime(date[: len("Thu, 26 Nov 2026 09:39:54 GMT")])
    except ValueError:
        return timedelta()
    slow = theirs.replace(tzinfo=UTC) - datetime.now(UTC)
    return slow if abs(slow) > timedelta(seconds=2) else timedelta()
