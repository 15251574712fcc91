"""The calls that AWS failed, counted: what a cause is looked for in, beside the live state."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from opsctl.aws.faults import Fault, code, fault, message

# What AWS answers to a caller who may not do this, or whom it does not know.
DENIED = {
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException"),
    *("NotAuthorized", "AuthorizationError", "AuthFailure", "OptInRequired"),
}
UNKNOWN_CALLER = {
    *("SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed"),
    *("InvalidClientTokenId", "UnrecognizedClientException", "IncompleteSignature"),
    *("RequestExpired", "InvalidAccessKeyId", "MissingAuthenticationToken"),
}
# The beginnings of operations that change nothing.
READS = ("Describe", "List", "Get", "Head", "BatchGet", "BatchCheck", "Filter", "Lookup")


@dataclass(frozen=True, slots=True)
class FailedCall:
    """`operation` is `service:Operation`; `times` it failed in this way, last at `at`."""

    operation: str
    fault: Fault
    code: str
    message: str
    times: int
    at: datetime


class FailedCalls:
    """A tally that several threads may add to. A read that says "there is none" did not fail.

    `first` hears at once, in the call's own thread, of each way to fail that is new here: the tally
    is taken with the next look, and an outage may be longer than the command lives.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self.first: Callable[[FailedCall], None] = lambda call: None
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], FailedCall] = {}

    def add(self, service: str, operation: str, error: BaseException) -> None:
        kind = fault(error)
        if kind is None or (kind == "refused" and _expected(operation, code(error))):
            return
        name = f"{service}:{operation}"
        with self._lock:
            key = (name, code(error) or kind)
            earlier = self._kept.get(key)
            failed = FailedCall(name, kind, code(error), message(error), 1, self._now())
            self._kept[key] = replace(failed, times=earlier.times + 1) if earlier else failed
        if earlier is None:
            self.first(failed)

    def take(self) -> tuple[FailedCall, ...]:
        """Those since the last time, which are forgotten here."""
        with self._lock:
            kept, self._kept = self._kept, {}
        return tuple(kept.values())


def _expected(operation: str, code: str) -> bool:
    return operation.startswith(READS) and code not in DENIED | UNKNOWN_CALLER
