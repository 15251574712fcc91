"""Every call that the code can make is in the policy, for whoever needs it."""

import pytest

from opsctl.permissions import calls, policy
from scripts import calls as scan


def test_the_calls_of_the_policy_are_those_in_the_code() -> None:
    # `make docs` writes them anew.
    assert list(policy.data()["calls"]) == scan.every()


def test_what_changes_something_has_its_audience_and_nothing_else_a_row() -> None:
    made = set(policy.data()["calls"])
    assert {call for call in made if calls.audience(call)} == made
    assert calls.rows() <= made


def test_a_new_call_that_changes_something_must_be_given_to_somebody() -> None:
    with pytest.raises(LookupError, match="who may call ecs DeleteCluster"):
        calls.audience("ecs DeleteCluster")
