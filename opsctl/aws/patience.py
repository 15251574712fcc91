"""The only layer of retries: how long a call is repeated while AWS does not answer.

botocore's own retries are off. A command that AWS has answered before outlasts an outage of three
minutes; one that AWS never answered gives up after four tries.
"""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from opsctl.aws.faults import transient

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")
OUTAGE = 180.0  # seconds that a command outlasts; also a reading that has an end
_HANGS = 5.0  # seconds of one call, for calls that should not wait
_TRIES = 4  # when AWS has not answered yet, and for calls that should not wait
# One or two failures of a call are not worth a message, unless they take long.
_TOLD_AFTER = 3


class Patience:
    """Repeats calls with jittered pauses. `tell` is called with the first failure of each outage.

    Thread-safe. Every call must be safe to repeat: a read, or a call with an idempotency token.
    """

    def __init__(
        self,
        seconds: float = OUTAGE,
        *,
        sleep: Callable[[float], None] = time.sleep,
        tell: Callable[[BaseException], None] = lambda error: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._sleep = sleep
        self._clock = clock
        self._tell = tell
        self._answered = False
        self._silent = False
        self._lock = threading.Lock()

    def __call__(self, call: Callable[[], T]) -> T:
        """Make the call. Raises the last failure when patience ends, and other errors at once."""
        began = self._clock()
        try:
            result = call()
        except Exception as error:
            if not transient(error):
                self._answered = True
                raise
            if not self._seconds and self._clock() - began >= _HANGS:
                raise
            result = self._repeat(call, began)
        self._answered, self._silent = True, False
        return result

    def _repeat(self, call: Callable[[], T], began: float) -> T:
        from tenacity import Retrying, retry_if_exception, wait_random_exponential

        retrying = Retrying(
            retry=retry_if_exception(transient),
            wait=wait_random_exponential(multiplier=0.3, max=10),
            stop=partial(self._ends, began),
            sleep=self._sleep,
            before_sleep=partial(self._failed, began),
            reraise=True,
        )
        # Pause before the first retry, too: `call` has just failed.
        self._sleep(0.1)
        return retrying(call)

    def _ends(self, began: float, state: "RetryCallState") -> bool:
        if self._answered and self._seconds:
            return self._lasts(began, state) >= self._seconds
        return _failures(state) >= _TRIES

    def _lasts(self, began: float, state: "RetryCallState") -> float:
        """Return the seconds since the first try began: a try may hang for a minute, too."""
        return max(self._clock() - began, state.idle_for)

    def _failed(self, began: float, state: "RetryCallState") -> None:
        lasting = _failures(state) >= _TOLD_AFTER or self._lasts(began, state) >= _HANGS
        with self._lock:
            first, self._silent = not self._silent, self._silent or lasting
            first = first and self._silent
        error = state.outcome.exception() if state.outcome else None
        if first and error is not None and self._answered:
            self._tell(error)


def _failures(state: "RetryCallState") -> int:
    """Return how often the call has failed, with the first try, which came before the retries."""
    return state.attempt_number + 1
