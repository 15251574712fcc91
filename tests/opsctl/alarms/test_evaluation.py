"""Held against the tables that CloudWatch's guide has for missing data.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.alarms.catalogue import Missing
from opsctl.alarms.evaluation import Point, Ringing, Rule, State, play
from opsctl_sandbox.ministack.repairs.alarms import judge

POLICIES: tuple[Missing, ...] = ("missing", "ignore", "breaching", "notBreaching")
RETAINED = "retained"
A, O, I, R = "ALARM", "OK", "INSUFFICIENT_DATA", RETAINED  # noqa: E741  # as the tables read
# data points, oldest first; then the state for each policy, in the order of POLICIES
THREE_OF_THREE = {
    "0 - X - X": (O, O, O, O),
    "0 - - - -": (O, O, O, O),
    "- - - - -": (I, R, A, O),
    "0 X X - X": (A, A, A, A),
    "- - X - -": (A, R, A, O),
}
TWO_OF_THREE = {
    "0 - X - X": (A, A, A, A),
    "0 0 X 0 X": (A, A, A, A),
    "0 - X - -": (O, O, A, O),
    "- - - - 0": (O, O, A, O),
    "- - - X -": (A, R, A, O),
}
# Beside the tables: one breaching point alone does not ring yet.
TOO_EARLY = {"- - - - X": R, "- - - X -": R}


def points(text: str) -> list[Point]:
    return [{"0": 0.0, "X": 100.0, "-": None}[one] for one in text.split()]


def rule(missing: Missing, of: int = 3, needs: int = 3) -> Rule:
    return Rule(">", 50, of, needs, missing)


def of_the_sandbox(rule: Rule, data: list[Point], before: State) -> str:
    """The sandbox was written from the same page, without the code of opsctl."""
    alarm = {
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": rule.threshold,
        "EvaluationPeriods": rule.periods,
        "DatapointsToAlarm": rule.points,
        "TreatMissingData": rule.missing,
        "StateValue": before,
    }
    return judge(alarm, data[-rule.range :])


@pytest.mark.parametrize(("needs", "table"), [(3, THREE_OF_THREE), (2, TWO_OF_THREE)])
@pytest.mark.parametrize("before", ["OK", "ALARM"])
def test_every_row_of_cloudwatchs_tables_holds(
    needs: int, table: dict[str, tuple[str, ...]], before: State
) -> None:
    for row, states in table.items():
        for policy, expected in zip(POLICIES, states, strict=True):
            state = rule(policy, needs=needs).state(points(row), before)
            assert state == (before if expected == RETAINED else expected), (row, policy)
            assert of_the_sandbox(rule(policy, needs=needs), points(row), before) == state


@pytest.mark.parametrize("row", TOO_EARLY)
def test_a_single_bad_point_among_missing_ones_does_not_ring_at_once(row: str) -> None:
    assert rule("missing").state(points(row), "OK") == "OK"


def test_a_play_names_when_it_rang_and_that_it_rings_still() -> None:
    data = points("0 0 0 0 0 X X X X 0 0 0 X X X")
    assert list(play(rule("missing"), data)) == [Ringing(7, 9), Ringing(14, None)]


def test_a_metric_that_begins_bad_rings_as_soon_as_there_are_enough_points() -> None:
    assert list(play(rule("breaching"), points("- - - X X X 0"))) == [Ringing(5, 6)]


def test_nothing_rings_for_what_lies_before_the_first_point() -> None:
    assert list(play(rule("breaching"), points("- - - - - - - - 0 0 0 0"))) == []
    assert list(play(rule("breaching"), points("- - - - - - - -"))) == []


@given(
    st.lists(st.sampled_from([None, 0.0, 50.0, 100.0]), max_size=60),
    st.sampled_from(POLICIES),
    st.integers(1, 6).flatmap(lambda of: st.tuples(st.just(of), st.integers(1, of))),
)
def test_the_sandbox_sets_an_alarm_off_when_a_backtest_says_so(
    data: list[Point], policy: Missing, of: tuple[int, int]
) -> None:
    checked = rule(policy, *of)
    state: State = "OK"
    for end in range(1, len(data) + 1):
        after = checked.state(data[:end], state)
        assert of_the_sandbox(checked, data[:end], state) == after
        state = after


@given(st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=60), st.sampled_from(POLICIES))
def test_a_play_is_what_each_evaluation_says(data: list[Point], policy: Missing) -> None:
    checked = rule(policy, needs=2)
    ringing = {
        index
        for one in play(checked, data)
        for index in range(one.first, len(data) if one.end is None else one.end)
    }
    state: State = "OK"
    begin = next((index for index, point in enumerate(data) if point is not None), len(data))
    for index in range(begin + checked.periods - 1, len(data)):
        state = checked.state(data[: index + 1], state)
        assert (state == "ALARM") == (index in ringing)
