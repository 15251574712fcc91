"""The small pure parts of a tail: budget, clock, ids, selection."""

import re

import pytest

from opsctl.errors import ConfigError
from opsctl.logs.budget import Budget, quota
from opsctl.logs.choice import Choice
from opsctl.logs.clock import ServerClock
from opsctl.logs.events import Selection, literal_prefix
from opsctl.logs.seen import Seen


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    budget = Budget(2.0, burst=3)
    for _ in range(3):
        assert budget.wait(0.0) == 0
        budget.spend()
    assert budget.wait(0.0) == pytest.approx(0.5)
    assert budget.wait(0.5) == 0


def test_a_refusal_halves_the_rate_and_answers_bring_it_back() -> None:
    budget = Budget(8.0)
    budget.throttled()
    assert budget.rate == 4.0
    for _ in range(100):
        budget.answered()
    assert budget.rate == 8.0


def test_the_quota_is_the_region_s() -> None:
    assert (quota("us-east-1"), quota("eu-central-1"), quota("eu-west-1")) == (25.0, 5.0, 10.0)


def test_the_clock_is_the_server_s_once_it_has_answered() -> None:
    clock = ServerClock(wall=5_000.0, monotonic=10.0)
    assert clock.now(11.0) == 5_001_000
    clock.learn({"date": "Thu, 01 Jan 1970 00:00:09 GMT"}, 11.0)
    assert clock.now(12.0) == 10_000


def test_a_broken_date_is_no_date() -> None:
    clock = ServerClock(wall=5.0, monotonic=0.0)
    clock.learn({"date": "yesterday"}, 0.0)
    assert not clock.learned


def test_ids_older_than_the_look_back_are_forgotten_and_never_read_again() -> None:
    seen = Seen()
    assert seen.add("a", 30_000)
    assert not seen.add("a", 30_000)
    assert seen.add("b", 90_000)
    seen.forget(60_000)
    assert len(seen) == 1
    assert not seen.add("c", 59_999)
    seen.forget(0)
    assert seen.floor == 60_000


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        ("^web/caddy/", "web/caddy/"),
        ("^web.*", "web"),
        ("^webs?", "web"),
        ("^a|b", ""),
        ("web", ""),
        ("^", ""),
    ],
)
def test_the_literal_start_of_a_regex_is_left_to_the_server(pattern: str, prefix: str) -> None:
    assert literal_prefix(pattern) == prefix


def test_a_selection_checks_again_what_the_server_narrows() -> None:
    selection = Selection(regex=re.compile("^web/.*/ab"), containing=("abc",))
    assert selection.parameters() == {"logStreamNamePrefix": "web/"}
    assert selection.admits("web/caddy/abc1")
    assert not selection.admits("web/caddy/abd1")
    assert not selection.admits("other")


@pytest.mark.parametrize("text", ["status", "status>>5", "status=>500", "status=<5", "a>", ">5"])
def test_a_mistyped_condition_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a condition"):
        assert Choice(where=(text,)).admits


@pytest.mark.parametrize("text", ["status>=5", "a=", "a!=", "a==b=c", "path~^/v1>", "a = b"])
def test_a_condition_may_compare_with_any_text(text: str) -> None:
    assert Choice(where=(text,)).admits is not None
