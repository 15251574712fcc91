"""The calls of a reading: one at a time, within the budget, each telling the server's time."""

from collections.abc import Callable, Mapping
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.logs.clock import ServerClock
from opsctl.logs.pace import Pace, Totals

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

_POLL = 0.05  # seconds between two looks at whether to stop, while a call is on its way
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
        """Milliseconds of the server's clock."""
        return self._clock.now(self._pace.now())

    @property
    def silent(self) -> float:
        """Seconds since AWS last gave an answer that is of use."""
        return self._pace.now() - self._last_answer

    @property
    def renewable(self) -> bool:
        return self._renew is not None

    def renew(self) -> None:
        """Before the next call, and as part of it: credentials may come from a slow program."""
        self._stale = True

    def __call__(self, **parameters: Any) -> Mapping[str, Any] | None:
        """The answer, or None when the reading was stopped meanwhile. Raises what AWS raised."""
        self._pace.budget.spend()
        self._totals.calls += 1
        # Nothing else is done meanwhile: two threads of Python that both work hinder each other.
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
        """First small calls, whatever they answer: every answer carries the server's date.

        Raises the last failure when no call reached AWS: there is nothing to be patient about.
        """
        now = self.now
        for attempt in range(_FIRST_TRIES):
            try:
                self(logGroupName=group, startTime=now, endTime=now, limit=1)
            except Exception as error:
                # Nobody there at all is the user's to know; anything else is dealt with in turn.
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
        # `interleaved` is always true on AWS; older endpoints and emulators still read it.
        return self._logs.filter_log_events(interleaved=True, **parameters)

    def _learn(self, answer: Mapping[str, Any]) -> None:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        self._clock.learn(headers, self._pace.now())
