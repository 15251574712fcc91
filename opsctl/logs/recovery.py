"""Decide what to do after a failed call: read the same page again, or end."""

from collections.abc import Callable

from opsctl import aws
from opsctl.errors import AwsError, OpsError
from opsctl.logs.calls import Calls
from opsctl.logs.events import Notice, NoticeKind
from opsctl.logs.follower import Follower
from opsctl.logs.pace import Pace, Totals

_MISSING_AGAIN = 10.0
_LONGEST_BACKOFF = 20.0
_RENEWALS = 3


class Recovery:
    """Handles failed calls. An `endless` reading ends only when AWS refuses a call."""

    def __init__(
        self,
        calls: Calls,
        pace: Pace,
        totals: Totals,
        tell: Callable[[Notice], None],
        *,
        endless: bool,
    ) -> None:
        self._calls = calls
        self._pace = pace
        self._totals = totals
        self._tell = tell
        self._endless = endless

    def failed(self, follower: Follower, error: Exception, *, alone: bool) -> bool:
        """Schedule the same page again. Returns False to continue without the group.

        Raises errors that trying again cannot fix, and errors that have lasted too long.
        """
        fault, code = aws.fault(error), aws.code(error)
        if self._may_renew(follower, error):
            self._renew(follower)
        elif fault == "throttled":
            self._throttled(follower, error)
        elif fault in ("unreachable", "nobody"):
            self._unreachable(follower, f"{aws.translate(error) or error}; retrying")
            self._wait_or_end(follower, error)
        elif self._endless and self._calls.served and aws.clock_is_wrong(error):
            # As behind a long sleep, until the machine has asked for the time.
            self._unreachable(follower, f"{aws.translate(error)}; retrying")
            self._back_off(follower)
        elif code == "ResourceNotFoundException":
            self._is_missing(follower)
        elif code.startswith("AccessDenied") and not alone:
            self._notice("denied", follower, aws.message(error))
            return False
        elif code == "InvalidParameterException" and follower.sweep and follower.sweep.token:
            follower.sweep.restart()
            self.check(follower)
        else:
            raise _refusal(follower, error) from error
        return True

    def check(self, follower: Follower) -> None:
        """Raise AwsError when the pages of a slice never end; a follower tries again later."""
        if follower.sweep is None or not follower.sweep.stuck:
            return
        if not self._endless:
            raise AwsError(
                f"CloudWatch's pages of {follower.group.name} lead nowhere: the same page, "
                "without its end, again and again",
                hint="run the same command again, with a later --since",
                operation="FilterLogEvents",
            )
        follower.sweep = None
        self._back_off(follower)

    def _may_renew(self, follower: Follower, error: Exception) -> bool:
        """A follower gives somebody minutes to log in again; what ends by itself a few tries."""
        gone = self._calls.served and aws.without_credentials(error)
        if not (gone or aws.fault(error) == "expired") or not self._calls.renewable:
            return False
        if not self._endless or not self._calls.served:
            return follower.failures < _RENEWALS
        since = self._pace.now() if follower.renewing is None else follower.renewing
        return self._pace.now() - since <= aws.OUTAGE

    def _renew(self, follower: Follower) -> None:
        if follower.renewing is None:
            follower.renewing = self._pace.now()
            self._notice("renewed", follower, "the credentials have expired; reading them again")
        self._calls.renew()
        self._back_off(follower)

    def _unreachable(self, follower: Follower, text: str) -> None:
        if not follower.silent:
            self._notice("unreachable", follower, text)
        follower.silent = True

    def _throttled(self, follower: Follower, error: Exception) -> None:
        self._totals.throttled += 1
        self._pace.budget.throttled()
        if self._totals.throttled == 1:
            self._notice("throttled", None, "CloudWatch throttles; reading slower")
        self._wait_or_end(follower, error)

    def _wait_or_end(self, follower: Follower, error: Exception) -> None:
        if not self._endless and self._calls.silent > aws.OUTAGE:
            raise aws.translate(error) or error
        self._back_off(follower)

    def _is_missing(self, follower: Follower) -> None:
        if follower.state != "missing":
            self._notice("missing", follower, f"there is no log group {follower.group.name}")
        follower.state = "missing"
        follower.due = self._pace.now() + _MISSING_AGAIN

    def _back_off(self, follower: Follower) -> None:
        """Wait with full jitter: several tails of one account must not retry together."""
        follower.failures += 1
        longest = min(_LONGEST_BACKOFF, 0.5 * 2 ** min(follower.failures, 10))
        follower.due = self._pace.now() + self._pace.chance() * longest

    def _notice(self, kind: NoticeKind, follower: Follower | None, text: str) -> None:
        self._tell(Notice(kind, follower.group.source if follower else None, text))


def _refusal(follower: Follower, error: Exception) -> OpsError | Exception:
    if aws.code(error) == "InvalidParameterException" and follower.selection.pattern:
        return AwsError(
            f"CloudWatch does not accept this filter pattern: {aws.message(error)}",
            hint="quote a phrase: --filter '\"connection refused\"'",
            operation="FilterLogEvents",
            code=aws.code(error),
        )
    return aws.translate(error) or error
