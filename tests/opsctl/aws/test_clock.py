"""A clock that is wrong by minutes, and answers that say so."""

from datetime import timedelta
from email.utils import format_datetime

import pytest

from opsctl.aws import Clock
from tests.opsctl.snapshots import START


@pytest.mark.parametrize("minutes", [-10, 10])
def test_aws_s_time_is_known_whatever_this_machine_says(minutes: int) -> None:
    local = START + timedelta(minutes=minutes)
    clock = Clock(lambda: local)
    assert clock.now() == local, "nothing is known before the first answer"
    clock.learn(format_datetime(START, usegmt=True))
    assert clock.now() == START


def test_an_answer_that_took_long_shows_no_slow_clock() -> None:
    clock = Clock(lambda: START)
    clock.learn(format_datetime(START - timedelta(seconds=1), usegmt=True))
    clock.learn(format_datetime(START - timedelta(seconds=50), usegmt=True))
    assert clock.now() == START


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Thu, 99 Foo 2026 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        f"Thu, 26 Nov 2026 12:00:00 +{'9' * 30}",
    ],
)
def test_what_is_no_date_is_ignored(date: str) -> None:
    clock = Clock(lambda: START)
    clock.learn(date)
    assert clock.now() == START


def test_a_clock_that_is_put_right_is_believed_again() -> None:
    local = [START + timedelta(minutes=10)]
    clock = Clock(lambda: local[0])
    clock.learn(format_datetime(START, usegmt=True))
    local[0] = START
    for _ in range(20):
        clock.learn(format_datetime(START, usegmt=True))
    assert clock.now() == START
