"""Whom AWS takes this caller for, where, until when, and by which clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opsctl.aws import Clients


@dataclass(frozen=True, slots=True)
class Identity:
    """`arn` is the caller's. `slow` is how far this machine's clock is behind AWS's.

    `expires` is the end of the credentials, where they end and nothing renews them; `emulated`
    says that something on this machine answers in AWS's place.
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
        """The user or role, as IAM's simulation wants it: a role instead of its session."""
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
    """As exact as HTTP's Date, which has whole seconds; nothing for one that cannot be read."""
    try:
        theirs = parsedate_to_datetime(date[: len("Thu, 26 Nov 2026 09:39:54 GMT")])
    except ValueError:
        return timedelta()
    slow = theirs.replace(tzinfo=UTC) - datetime.now(UTC)
    return slow if abs(slow) > timedelta(seconds=2) else timedelta()
