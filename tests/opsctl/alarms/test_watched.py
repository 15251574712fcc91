from dataclasses import replace
from typing import Any

import pytest

from opsctl.alarms import watched, words
from opsctl.errors import ConfigError
from opsctl.metrics.series import Series, Window
from tests.opsctl.alarms.live import CONFIG, of, seen
from tests.opsctl.snapshots import START


def test_what_no_stack_has_made_yet_has_no_metric_to_ask_for() -> None:
    bare = replace(seen(live=False), stacks={})
    assert of(bare, "healthy-hosts").query is None
    assert of(bare, "service-cpu").query is not None


def test_alarms_as_the_catalogue_has_them_have_not_drifted() -> None:
    now = seen()
    assert not [
        one.name for one in watched.watched(now, CONFIG) if watched.drift(one, released=True)
    ]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"threshold": 1.0}, "threshold is 1.0 instead of 2.0"),
        ({"missing": "ignore"}, "missing data is ignore instead of breaching"),
        ({"dimensions": (("ClusterName", "other"),)}, "it watches another resource"),
        ({"actions": False}, "its actions are off"),
        ({"to": ()}, "it notifies nobody"),
    ],
)
def test_what_somebody_changed_by_hand_is_named(changed: dict[str, Any], text: str) -> None:
    one = of(seen(**changed), "running-tasks")
    assert text in watched.drift(one, released=True)


def test_a_missing_alarm_and_one_with_another_threshold_differ_from_the_config() -> None:
    assert not any(watched.differs(one) for one in watched.watched(seen(), CONFIG))
    assert watched.differs(of(seen(live=False), "running-tasks"))
    assert watched.differs(of(seen(threshold=1.0), "running-tasks"))


def test_before_the_first_release_actions_that_are_off_are_right() -> None:
    assert watched.drift(of(seen(actions=False), "running-tasks"), released=False) == []


def test_a_name_may_have_the_systems_prefix_and_a_wrong_one_is_refused() -> None:
    alarms = watched.watched(seen(), CONFIG)
    assert watched.named(alarms, "web-service-cpu", "web-") == watched.named(
        alarms, "service-cpu", "web-"
    )
    with pytest.raises(ConfigError) as caught:
        watched.named(alarms, "service-cpus", "web-")
    assert caught.value.hint == "opsctl alarms explain service-cpu"


def test_a_condition_and_the_meaning_of_a_gap_are_words() -> None:
    alarm = of(seen(), "running-tasks").alarm
    text = "SampleCount of CPUUtilization < 2 for 10m, by periods of 1m"
    assert words.condition(alarm) == text
    assert words.gaps(alarm) == (
        "a period without data counts as bad: no sample means that no task runs"
    )


def test_the_points_behind_a_state_are_counted_and_gaps_named() -> None:
    one = of(seen(), "healthy-hosts")
    assert one.query is not None
    over = Window(START, START.replace(minute=5), 60)
    series = Series(one.query, over, [2.0, None, 0.0, 0.0, None])
    assert words.points(one, series) == (
        "2 of 3 points < 2 (2, 0, 0); 2 of the last 5 had no data, which counts as bad"
    )
