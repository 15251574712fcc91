"""The one layer of retries: how long a call is repeated while AWS does not answer.

botocore's own retries are off. A command that AWS has answered before outlasts an outage of
three minutes; one that it never answered gives up after four tries.
"""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from opsctl.aws.faults import transient

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")
OUTAGE = 180.0  # seconds
_HANGS = 5.0  # seconds of one call, for whoever does not want to wait
_TRIES = 4  # without an answer so far, and for whoever does not want to wait
# A call that fails once or twice is nothing that a person must know.
_TOLD_AFTER = 3


class Patience:
    """Repeats calls with jittered pauses; `tell` hears of the first failure of each outage.

    May be used from several threads. Only what is safe to repeat may be called: a read, or a call
    with a token by which AWS knows it again.
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
        """Raises the last failure when patience ends, and any other error at once."""
        began = self._clock()
        try:
            result = call()
        except Exception as error:
            if not transient(error):
                self._answered = True
                raise
            if not self._seconds and self._clock() - began >= _HANGS:
                raise
            result = self._repeat(call)
        self._answered, self._silent = True, False
        return result

    def _repeat(self, call: Callable[[], T]) -> T:
        from tenacity import Retrying, retry_if_exception, wait_random_exponential

        retrying = Retrying(
            retry=retry_if_exception(transient),
            wait=wait_random_exponential(multiplier=0.3, max=10),
            stop=self._ends,
            sleep=self._sleep,
            before_sleep=self._failed,
            reraise=True,
        )
        # A pause before the first repetition, too: `call` has just failed.
        self._sleep(0.1)
        return retrying(call)

    def _ends(self, state: "RetryCallState") -> bool:
        if self._answered and self._seconds:
            return state.idle_for >= self._seconds
        return state.attempt_number >= _TRIES

    def _failed(self, state: "RetryCallState") -> None:
        with self._lock:
            first, self._silent = (
                not self._silent,
                self._silent or state.attempt_number >= _TOLD_AFTER,
            )
            first = first and self._silent
        error = state.outcome.exception() if state.outcome else None
        if first and error is not None and self._answered:
            self._tell(error)
