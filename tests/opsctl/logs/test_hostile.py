"""Whatever CloudWatch, or what stands in its place, answers: a reading goes on, or it ends."""

import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import formatdate
from typing import Any, cast

import pytest
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    ReadTimeoutError,
    SSOTokenLoadError,
)
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from opsctl.errors import AwsError
from opsctl.logs import page
from opsctl.logs.budget import Budget
from opsctl.logs.events import LogEvent, LogGroup, Notice
from opsctl.logs.pace import Pace
from opsctl.logs.tail import Reading, Tail
from tests.opsctl.logs.simulated import EPOCH, Clock, SimulatedLogs, Stopped, Written

NOW = int(EPOCH * 1000)
THREE_MINUTES_AND_A_BIT = 240.0


class Answers:
    """A client that answers with whatever it is given."""

    def __init__(self, clock: Clock, answer: Callable[[int, Mapping[str, Any]], Any]) -> None:
        self.clock, self.answer, self.calls = clock, answer, 0

    def filter_log_events(self, **request: Any) -> Any:
        self.calls += 1
        self.clock.sleep(0.05)
        answer = self.answer(self.calls, request)
        if isinstance(answer, Exception):
            raise answer
        return {**answer, "ResponseMetadata": {"HTTPHeaders": {"date": DATE}}}


DATE = formatdate(EPOCH, usegmt=True)


def read(logs: Any, clock: Clock, *, follow: bool = False) -> tuple[list[LogEvent], list[Notice]]:
    chance = random.Random(1).random
    pace = Pace(Budget(4.0), now=clock.now, wall=clock.wall, sleep=clock.sleep, chance=chance)
    reading = Reading([LogGroup("app", "app")], since=timedelta(minutes=10), follow=follow)
    events: list[LogEvent] = []
    notices: list[Notice] = []
    try:
        for item in Tail(cast(Any, logs), reading, pace=pace, renew=lambda: cast(Any, logs)).run():
            if isinstance(item, Notice):
                notices.append(item)
            else:
                events += item
    except Stopped:
        pass
    return events, notices


def refused(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message or code}}, "FilterLogEvents")


TROUBLES = [
    ReadTimeoutError(endpoint_url="http://127.0.0.1"),
    ResponseParserError("<html>sign in to the hotel's network</html>"),
    refused("ThrottlingException"),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: type(trouble).__name__)
def test_a_reading_without_follow_ends_when_aws_stays_unusable(trouble: Exception) -> None:
    clock = Clock()
    logs = Answers(clock, lambda call, _: {"events": []} if call == 1 else trouble)
    with pytest.raises(AwsError):
        read(logs, clock)
    assert 180 <= clock.at < THREE_MINUTES_AND_A_BIT


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: type(trouble).__name__)
def test_a_follow_outlasts_an_hour_of_it(trouble: Exception) -> None:
    clock = Clock(stop=4000)
    logs = Answers(clock, lambda call, _: trouble if 1 < clock.at < 3600 else {"events": []})
    _, notices = read(logs, clock, follow=True)
    assert clock.at > 3999
    assert {notice.kind for notice in notices} <= {"caught-up", "unreachable", "throttled"}


CLOCK = refused(
    "InvalidSignatureException",
    "Signature expired: 20261126T120000Z is now earlier than 20261126T121000Z "
    "(20261126T122500Z - 15 min.)",
)
EXPIRED = refused("ExpiredTokenException")
CREDENTIALS = [
    EXPIRED,
    CredentialRetrievalError(provider="custom-process", error_msg="no network"),
    SSOTokenLoadError(error_msg="the token has expired"),
    NoCredentialsError(),
]


@pytest.mark.parametrize("trouble", CREDENTIALS, ids=lambda trouble: type(trouble).__name__)
def test_a_follow_gives_somebody_three_minutes_to_log_in_again(trouble: Exception) -> None:
    clock = Clock(stop=1000)
    logs = Answers(clock, lambda call, _: trouble if 100 < clock.at < 250 else {"events": []})
    _, notices = read(logs, clock, follow=True)
    assert clock.at > 999
    assert [notice.kind for notice in notices].count("renewed") == 1


@pytest.mark.parametrize("trouble", CREDENTIALS, ids=lambda trouble: type(trouble).__name__)
def test_a_follow_without_credentials_ends_when_nobody_does(trouble: Exception) -> None:
    clock = Clock(stop=1000)
    logs = Answers(clock, lambda call, _: trouble if clock.at > 100 else {"events": []})
    with pytest.raises(AwsError):
        read(logs, clock, follow=True)
    assert 280 <= clock.at < 100 + THREE_MINUTES_AND_A_BIT


def test_credentials_that_expire_during_an_outage_are_renewed_behind_it() -> None:
    clock = Clock(stop=1000)

    def answer(call: int, _: Any) -> Any:
        if 100 < clock.at < 600:
            return refused("ThrottlingException")
        return EXPIRED if 600 < clock.at < 620 else {"events": []}

    read(Answers(clock, answer), clock, follow=True)
    assert clock.at > 999


def test_a_reading_without_follow_renews_a_few_times_and_ends() -> None:
    clock = Clock(stop=1000)
    logs = Answers(clock, lambda call, _: EXPIRED if call > 1 else {"events": []})
    with pytest.raises(AwsError, match="ExpiredToken"):
        read(logs, clock)
    assert clock.at < 30


def test_a_follow_outlasts_a_clock_that_is_wrong_until_somebody_sets_it() -> None:
    clock = Clock(stop=4000)
    logs = Answers(clock, lambda call, _: CLOCK if 100 < clock.at < 3600 else {"events": []})
    _, notices = read(logs, clock, follow=True)
    assert clock.at > 3999
    [notice] = [one for one in notices if one.kind == "unreachable"]
    assert "this machine's clock is 25 minutes slow" in notice.text


@pytest.mark.parametrize("trouble", [CLOCK, *CREDENTIALS[1:]], ids=lambda one: type(one).__name__)
def test_what_was_wrong_from_the_beginning_is_an_error_at_once(trouble: Exception) -> None:
    clock = Clock(stop=1000)
    with pytest.raises(AwsError):
        read(Answers(clock, lambda *_: trouble), clock, follow=True)
    assert clock.at < 30


def test_an_outage_behind_another_trouble_is_said() -> None:
    clock = Clock(stop=1000)

    def answer(call: int, _: Any) -> Any:
        if 100 < clock.at < 120:
            return refused("ThrottlingException")
        return TROUBLES[0] if 120 < clock.at < 200 else {"events": []}

    _, notices = read(Answers(clock, answer), clock, follow=True)
    assert [one.kind for one in notices].count("unreachable") == 1


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("trouble", TROUBLES[:2], ids=lambda trouble: type(trouble).__name__)
def test_what_never_answers_is_an_error_at_once(trouble: Exception, follow: bool) -> None:
    clock = Clock()
    with pytest.raises(Exception, match=r"timeout|hotel"):
        read(Answers(clock, lambda *_: trouble), clock, follow=follow)
    assert clock.at < 30


FULL: list[dict[str, Any]] = [
    {
        "timestamp": NOW - 400_000,
        "ingestionTime": NOW,
        "logStreamName": "s",
        "eventId": f"{n}",
        "message": "m",
    }
    for n in range(10_000)
]


@pytest.mark.parametrize(
    "answer",
    [
        lambda call, request: {"events": [], "nextToken": "always the same"},
        lambda call, request: (
            refused("InvalidParameterException")
            if "nextToken" in request
            else {"events": [], "nextToken": "never taken"}
        ),
        lambda call, request: {"events": FULL},
    ],
    ids=["a token that leads to itself", "a token that is refused", "the same full page"],
)
def test_pages_that_lead_nowhere_end_a_reading(answer: Any) -> None:
    clock = Clock()
    with pytest.raises(AwsError, match="lead nowhere"):
        read(Answers(clock, answer), clock)
    assert clock.at < 600


def test_pages_that_lead_nowhere_do_not_end_a_follow() -> None:
    clock = Clock(stop=600)
    logs = Answers(
        clock, lambda call, _: {"events": [], **({"nextToken": "x"} if clock.at < 300 else {})}
    )
    _, notices = read(logs, clock, follow=True)
    assert {notice.kind for notice in notices} == {"caught-up", "progress"}


WELL = {
    "timestamp": NOW - 5000,
    "ingestionTime": NOW - 4000,
    "logStreamName": "s",
    "eventId": "1",
    "message": "well",
}


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ({**WELL, "eventId": "2", "message": None}, ""),
        ({**WELL, "eventId": "2", "message": ["a"]}, "['a']"),
        ({**WELL, "eventId": "2", "message": "half \ud83d"}, "half \ud83d"),
        ({**WELL, "eventId": "2", "timestamp": "soon"}, "well"),
        ({**WELL, "eventId": "2", "timestamp": -1}, "well"),
        ({**WELL, "eventId": "2", "timestamp": 1 << 80}, "well"),
        ({**WELL, "eventId": "2", "timestamp": float("nan")}, "well"),
        ({**WELL, "eventId": "2", "logStreamName": 5}, "well"),
        ({key: WELL[key] for key in ("timestamp", "logStreamName", "message")}, "well"),
        ({}, ""),
    ],
)
def test_a_malformed_event_is_still_shown(odd: Any, message: str) -> None:
    rows = page.rows({"events": [WELL, odd]})
    assert rows[0] == (NOW - 5000, NOW - 4000, "s", "1", "well")
    assert rows[1][4] == message
    assert all(type(value) is kind for value, kind in zip(rows[1], (int, int, str, str, str)))  # noqa: B905


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_value_may_stand_where_an_event_should(value: Any) -> None:
    fields = ("timestamp", "ingestionTime", "logStreamName", "eventId", "message")
    for field in fields:
        [row] = page.rows({"events": [{**WELL, field: value}]})
        assert 0 <= row[0] <= 253_402_300_799_000
    assert page.rows({"events": [value]}) == []


def test_a_busy_hour_is_read_in_slices_of_few_pages() -> None:
    base = NOW - 600_000
    written = [Written(base + n * 2, base + n * 2, f"{n:07d}", "s", "app") for n in range(290_000)]
    clock = Clock()
    logs = SimulatedLogs(clock, written, page=1000)
    chance = random.Random(1).random
    pace = Pace(Budget(50.0), now=clock.now, wall=clock.wall, sleep=clock.sleep, chance=chance)
    reading = Reading([LogGroup("app", "app")], since=timedelta(minutes=10), follow=False)
    tail = Tail(cast(Any, logs), reading, pace=pace)
    most, count = 0, 0
    for item in tail.run():
        if not isinstance(item, Notice):
            count += len(item)
            most = max(most, len(tail._followers[0].seen))
    assert count == 290_000
    # Ten pages of a slice, the one before it, and a minute of a bucket.
    assert most < 60_000
