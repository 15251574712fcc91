"""Count failed calls of AWS: evidence for causes, in addition to the live state."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from opsctl.aws import faults
from opsctl.aws.faults import Fault, code, fault, message

# AWS's codes for callers who are not allowed, or not known.
DENIED = faults.DENIED | {"AuthFailure", "OptInRequired"}
UNKNOWN_CALLER = {
    *("SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed"),
    *("InvalidClientTokenId", "UnrecognizedClientException", "IncompleteSignature"),
    *("RequestExpired", "InvalidAccessKeyId", "MissingAuthenticationToken"),
}
# Operations with optional answers: nothing is wrong without them.
_OPTIONAL = {"ListAlarmMuteRules", "GetAlarmMuteRule"}
# Prefixes of operations that change nothing.
READS = ("Describe", "List", "Get", "Head", "BatchGet", "BatchCheck", "Filter", "Lookup")


@dataclass(frozen=True, slots=True)
class FailedCall:
    """`operation` is `service:Operation`. It failed `times` times in this way, last at `at`."""

    operation: str
    fault: Fault
    code: str
    message: str
    times: int
    at: datetime

    @property
    def way(self) -> tuple[str, str]:
        """What distinguishes one way to fail from another: the operation, and what went wrong."""
        return self.operation, self.code or self.fault


class FailedCalls:
    """A thread-safe tally. A read that returns "does not exist" has not failed.

    `first` is called at once, in the call's own thread, with each new way to fail: the tally is
    taken with the next look, and an outage may outlast the command.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self.first: Callable[[FailedCall], None] = lambda call: None
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], FailedCall] = {}

    def add(self, service: str, operation: str, error: BaseException) -> None:
        kind = fault(error)
        if kind is None or operation in _OPTIONAL:
            return
        if kind == "refused" and _expected(operation, code(error)):
            return
        name = f"{service}:{operation}"
        failed = FailedCall(name, kind, code(error), message(error), 1, self._now())
        with self._lock:
            earlier = self._kept.get(failed.way)
            self._kept[failed.way] = replace(failed, times=earlier.times + 1) if earlier else failed
        if earlier is None:
            self.first(failed)

    def take(self) -> tuple[FailedCall, ...]:
        """Return the failed calls since the last `take`, and forget them."""
        with self._lock:
            kept, self._kept = self._kept, {}
        return tuple(kept.values())


def _expected(operation: str, code: str) -> bool:
    return operation.startswith(READS) and code not in DENIED | UNKNOWN_CALLER
