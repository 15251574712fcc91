"""Make a reading's calls, one at a time and within the budget, and learn the server's time."""

from collections.abc import Callable, Mapping
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.logs.clock import ServerClock
from opsctl.logs.pace import Pace, Totals

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

_POLL = 0.05  # seconds between checks whether to stop, while a call is under way
_FIRST_TRIES = 5


class Calls:
    def __init__(
        self,
        logs: "CloudWatchLogsClient",
        pace: Pace,
        totals: Totals,
        renew: "Callable[[], CloudWatchLogsClient] | None",
    ) -> None:
        self._logs = logs
        self._pace = pace
        self._totals = totals
        self._renew = renew
        self._clock = ServerClock(pace.wall(), pace.now())
        self._stale = False
        self.answered = False  # perhaps with a refusal
        self.served = False
        self._last_answer = pace.now()

    @property
    def now(self) -> int:
        """Return the server's time in milliseconds since 1970."""
        return self._clock.now(self._pace.now())

    @property
    def silent(self) -> float:
        """Return the seconds since AWS last gave a usable answer."""
        return self._pace.now() - self._last_answer

    @property
    def renewable(self) -> bool:
        return self._renew is not None

    def renew(self) -> None:
        """Renew the credentials as part of the next call: a slow program may provide them."""
        self._stale = True

    def __call__(self, **parameters: Any) -> Mapping[str, Any] | None:
        """Make a call.

        Returns None if the reading was stopped meanwhile. Raises what AWS raised.
        """
        self._pace.budget.spend()
        self._totals.calls += 1
        # Do nothing else meanwhile: two busy Python threads slow each other down.
        future = self._pace.start(lambda: self._ask(parameters))
        while not wait([future], _POLL).done:
            if self._pace.stopped():
                return None
        try:
            answer: Mapping[str, Any] = future.result()
        except Exception as error:
            response = getattr(error, "response", None) or {}
            self._learn(response)
            if aws.fault(error) == "refused":
                self._last_answer, self.answered = self._pace.now(), True
            raise
        self._learn(answer)
        self._last_answer, self.answered, self.served = self._pace.now(), True, True
        self._pace.budget.answered()
        return answer

    def ask_the_time(self, group: str) -> None:
        """Make a first small call, because every answer, even a refusal, carries the server's date.

        Raises the last failure when no call reached AWS.
        """
        now = self.now
        for attempt in range(_FIRST_TRIES):
            try:
                self(logGroupName=group, startTime=now, endTime=now, limit=1)
            except Exception as error:
                # Raise at once if nobody listens there; other failures are handled later.
                fault = aws.fault(error)
                last = attempt == _FIRST_TRIES - 1 and not self._clock.learned
                if fault in (None, "nobody") or (fault == "unreachable" and last):
                    raise
            if self._clock.learned or self._pace.stopped():
                return
            self._pace.sleep(attempt * self._pace.chance())

    def _ask(self, parameters: Mapping[str, Any]) -> Any:
        if self._stale and self._renew is not None:
            self._logs, self._stale = self._renew(), False
        # On AWS `interleaved` is always true; older endpoints and emulators still read it.
        return self._logs.filter_log_events(interleaved=True, **parameters)

    def _learn(self, answer: Mapping[str, Any]) -> None:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        self._clock.learn(headers, self._pace.now())
