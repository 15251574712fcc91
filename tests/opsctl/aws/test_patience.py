"""One layer of retries: an outage is outlasted, a refusal is not waited out."""

from collections.abc import Callable

import pytest
from botocore import exceptions

from opsctl.aws.patience import OUTAGE, Patience
from tests.opsctl.aws.test_faults import client_error

REFUSED = exceptions.EndpointConnectionError(endpoint_url="http://x")


class Aws:
    """Silent from `silent` until so many seconds have been slept, then it answers again."""

    def __init__(self, seconds: float, error: Exception = REFUSED) -> None:
        self.until, self.error = seconds, error
        self.slept: list[float] = []
        self.told: list[BaseException] = []

    def patience(self, seconds: float = OUTAGE) -> Patience:
        return Patience(seconds, sleep=self.slept.append, tell=self.told.append)

    def call(self) -> str:
        if sum(self.slept) < self.until:
            raise self.error
        return "answer"


def answered(patience: Patience) -> Patience:
    assert patience(lambda: "first") == "first"
    return patience


@pytest.mark.parametrize(
    "error",
    [REFUSED, client_error("Throttling"), client_error("InternalFailure", 500)],
)
def test_an_outage_of_a_minute_is_outlasted_and_told_once(error: Exception) -> None:
    aws = Aws(60, error)
    patience = answered(aws.patience())
    assert patience(aws.call) == "answer"
    assert 60 <= sum(aws.slept) <= 75 and aws.told == [error]


def test_an_outage_ends_in_its_own_error_after_three_minutes() -> None:
    aws = Aws(10_000)
    with pytest.raises(exceptions.EndpointConnectionError):
        answered(aws.patience())(aws.call)
    assert OUTAGE <= sum(aws.slept) <= OUTAGE + 15


def test_the_next_outage_is_told_again() -> None:
    aws = Aws(30)
    patience = answered(aws.patience())
    patience(aws.call)
    aws.until += 60
    patience(aws.call)
    assert len(aws.told) == 2


def test_a_call_that_fails_once_is_repeated_without_a_word() -> None:
    aws = Aws(0.05)
    assert answered(aws.patience())(aws.call) == "answer"
    assert aws.told == []


@pytest.mark.parametrize("prepare", [lambda patience: patience, answered])
def test_a_refusal_is_not_waited_out(prepare: Callable[[Patience], Patience]) -> None:
    aws = Aws(10_000, client_error("AccessDenied", 403))
    with pytest.raises(exceptions.ClientError):
        prepare(aws.patience())(aws.call)
    assert aws.slept == []


def test_what_never_answered_is_given_up_after_a_few_tries() -> None:
    aws = Aws(10_000)
    with pytest.raises(exceptions.EndpointConnectionError):
        aws.patience()(aws.call)
    assert sum(aws.slept) < 10 and aws.told == []


def test_it_is_given_up_after_four_tries() -> None:
    tries: list[int] = []

    def silent() -> str:
        tries.append(1)
        raise REFUSED

    for patience in (Aws(0).patience(), answered(Aws(0).patience(0))):
        tries.clear()
        with pytest.raises(exceptions.EndpointConnectionError):
            patience(silent)
        assert len(tries) == 4


@pytest.mark.parametrize("seconds", [5.0, 60.0])
def test_an_outage_in_which_calls_hang_ends_after_three_minutes_too(seconds: float) -> None:
    now, told = [0.0], list[float]()

    def hang() -> str:
        now[0] += seconds
        raise exceptions.ReadTimeoutError(endpoint_url="http://x")

    def sleep(pause: float) -> None:
        now[0] += pause

    patience = Patience(sleep=sleep, clock=lambda: now[0], tell=lambda _: told.append(now[0]))
    with pytest.raises(exceptions.ReadTimeoutError):
        answered(patience)(hang)
    assert OUTAGE <= now[0] <= OUTAGE + seconds + 10
    # The first retry has failed, too.
    assert 0 < told[0] <= 2 * seconds + 5


def test_without_patience_nothing_is_retried_for_long() -> None:
    aws = Aws(10_000)
    with pytest.raises(exceptions.EndpointConnectionError):
        answered(aws.patience(0))(aws.call)
    assert sum(aws.slept) < 10


def test_a_mistake_of_ours_is_raised_at_once() -> None:
    def wrong() -> str:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        Patience(sleep=lambda _: None)(wrong)


def test_who_does_not_want_to_wait_hears_once_of_a_server_that_hangs() -> None:
    now = [0.0]
    calls: list[float] = []

    def hang() -> str:
        calls.append(now[0])
        now[0] += 10
        raise exceptions.ReadTimeoutError(endpoint_url="http://x")

    brief = Patience(0, sleep=lambda _: None, clock=lambda: now[0])
    with pytest.raises(exceptions.ReadTimeoutError):
        brief(hang)
    assert len(calls) == 1
    # A command that waits anyway asks such a server again.
    with pytest.raises(exceptions.ReadTimeoutError):
        Patience(60, sleep=lambda _: None, clock=lambda: now[0])(hang)
    assert len(calls) > 2
