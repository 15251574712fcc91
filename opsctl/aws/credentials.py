"""One set of credentials: the clients that use it, and whose it is."""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opsctl.errors import AwsError

if TYPE_CHECKING:
    from boto3.session import Session


class Credentials:
    """Credentials as they were read once. New ones are another object, which knows nothing yet of
    their account.

    `make` creates a client of these credentials from its service, whether it is patient, and
    whether it may read new ones.
    """

    def __init__(
        self, session: "Session", make: Callable[["Credentials", str, bool, bool], Any]
    ) -> None:
        self.session = session
        self._make = make
        # Neither creating a client nor cached_property is thread-safe.
        self._making = threading.RLock()
        self._made: dict[tuple[str, bool, bool], Any] = {}
        self._owner: Mapping[str, Any] | None = None

    def client(self, service: str, *, patient: bool = True, renews: bool = True) -> Any:
        with self._making:
            kind = (service, patient, renews)
            if kind not in self._made:
                self._made[kind] = self._make(self, *kind)
            return self._made[kind]

    def owner(self) -> Mapping[str, Any]:
        """Return AWS's answer to whose credentials these are: `Account` and `Arn`.

        Raises botocore's error when they have expired: the answer would be for others.
        """
        if self._owner is None:
            self._owner = self.client("sts", renews=False).get_caller_identity()
        return self._owner

    def require(self, account: str | None) -> None:
        """Raise AwsError for credentials of another account; None allows every one."""
        if account is None or (own := self.owner()["Account"]) == account:
            return
        raise AwsError(
            f"these credentials belong to account {own}, "
            f"but `aws.account` in the config is {account}",
            hint="choose the right credentials, for instance with AWS_PROFILE",
            cause="wrong-account",
        )
