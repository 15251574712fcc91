"""Instances replaced under a service that must not lose a task, whatever AWS and people do."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Driver, Question
from opsctl.rollout import instances, roll_instances
from opsctl.rollout.instances import InstancePlan, Machine, Step
from opsctl.stacks import definition
from tests.opsctl.rollout.fleet import Fleet
from tests.opsctl.snapshots import config

CONFIG = config("ecs.desired_count=4", "compute.instance_type=t3.small")
NEW = Machine("ami-new", "t3.small", definition.machine(CONFIG))
OLD = replace(NEW, image="ami-old")


def fleet(**more: Any) -> Fleet:
    return Fleet(NEW, **{"old": OLD, **more})


def roll(
    fleet: Fleet, *, looks: int = 2000, answers: Sequence[bool] = (True,), **more: Any
) -> tuple[Outcome | None, list[object]]:
    """Ended by Ctrl-C after so many looks: None and what was told until then."""
    replies = list(answers)
    procedure = roll_instances.roll_instances(cast(Any, fleet), CONFIG, **more)
    driver = Driver(procedure, look=fleet.look, sleep=fleet.pass_time)
    items: list[object] = []
    for item in islice(driver, 3 * looks):
        if isinstance(item, Question):
            driver.answer(replies.pop(0))
        items.append(item)
    ended = driver.result
    driver.close()
    return ended, items


def steps(items: Sequence[object]) -> list[str]:
    return [item.action for item in items if isinstance(item, Step) and item.action != "wait"]


def same(fleet: Fleet) -> bool:
    return all(vm.machine == fleet.machine for vm in fleet.alive)


def test_a_new_instance_joins_before_an_old_one_goes() -> None:
    group = fleet(ties="aaab")
    outcome, items = roll(group)
    assert outcome == Outcome("done")
    assert steps(items) == ["launch", "drain", "terminate", "drain", "terminate", "done"]
    assert same(group) and len(group.alive) == 2 and group.desired == 2
    assert group.fewest == 4 and group.tags == {}


def test_zones_that_would_be_out_of_balance_are_balanced_by_one_more_instance() -> None:
    group = fleet(ties="aaaa")
    outcome, items = roll(group)
    assert outcome == Outcome("done") and len(group.calls) == 7
    assert steps(items)[-3:] == ["drain", "terminate", "done"]
    assert group.zones() == {"a": 1, "b": 1} and group.fewest == 4


def test_the_plan_says_which_instances_go_and_why() -> None:
    _, items = roll(fleet(), answers=[False])
    [plan] = [item for item in items if isinstance(item, InstancePlan)]
    why = "its image is ami-old, not ami-new"
    assert [(one.instance, one.why) for one in plan.replacements] == [("i-1", why), ("i-2", why)]
    assert plan.grow and plan.size == 2


@pytest.mark.parametrize(
    ("old", "why"),
    [
        (replace(NEW, type="t3.large"), "it is a t3.large, not a t3.small"),
        (replace(NEW, hash="0"), "what an instance gets at its start has changed"),
    ],
)
def test_another_type_or_another_start_replaces_too(old: Machine, why: str) -> None:
    _, items = roll(fleet(old=old), answers=[False])
    [plan] = [item for item in items if isinstance(item, InstancePlan)]
    assert {one.why for one in plan.replacements} == {why}


def test_nothing_is_done_without_an_answer() -> None:
    group = fleet()
    outcome, _ = roll(group, answers=[False])
    assert outcome == Outcome("cancelled", "no instance was replaced")
    assert group.calls == [] and group.tags == {}


def test_instances_that_are_as_they_should_be_stay() -> None:
    group = fleet(old=NEW)
    outcome, _ = roll(group)
    assert outcome == Outcome("no-changes") and group.calls == []


def test_one_of_an_older_opsctl_which_tells_no_hash_stays() -> None:
    group = fleet(old=replace(NEW, hash=""))
    assert roll(group)[0] == Outcome("no-changes")


def test_all_replaces_those_too_and_a_new_one_only_once() -> None:
    group = fleet(old=NEW)
    outcome, _ = roll(group, everything=True)
    assert outcome == Outcome("done")
    assert [vm.id for vm in group.alive if vm.id in ("i-1", "i-2")] == [] and group.desired == 2


def test_all_goes_on_after_ctrl_c_with_those_that_were_left() -> None:
    group = fleet(old=NEW)
    assert roll(group, everything=True, looks=20)[0] is None
    assert instances.TAG in group.tags
    before = {vm.id for vm in group.vms}
    assert roll(group, everything=True)[0] == Outcome("done")
    assert len(before & {vm.id for vm in group.vms}) >= 1, "the new ones were not replaced again"


def test_a_group_that_may_not_grow_drains_where_the_others_have_room() -> None:
    group = fleet(maximum=2)
    outcome, items = roll(group)
    assert outcome == Outcome("done")
    assert steps(items) == ["drain", "terminate", "drain", "terminate", "done"]
    assert group.fewest == 4


def test_without_room_the_arithmetic_is_told_before_anything_happens() -> None:
    group = fleet(maximum=2, tasks=6)
    with pytest.raises(OpsError) as caught:
        roll(group)
    assert str(caught.value) == (
        "i-1 cannot be replaced: it runs 3 tasks, the other 1 instances have room for 1, "
        "and the group may not grow beyond 2"
    )
    assert caught.value.hint == "set `compute.maximum: 3`, then run: opsctl ecs up"
    assert group.calls == []


def test_an_instance_that_never_joins_ends_the_roll_and_the_old_ones_serve_on() -> None:
    group = fleet()
    group.joins = False
    outcome, _ = roll(group)
    assert outcome is not None and outcome.kind == "failed"
    assert "has not joined the cluster in 15 minutes" in outcome.reason
    assert group.fewest == 4 and group.calls == ["desire 3"]


def test_a_new_instance_that_differs_too_ends_the_roll() -> None:
    # It went on for ever, because every new instance was one more to be replaced.
    group = fleet()
    group.instead = replace(NEW, image="ami-other")
    outcome, items = roll(group)
    assert outcome is not None and outcome.kind == "failed"
    assert "differs all the same: its image is ami-other, not ami-new" in outcome.reason
    assert steps(items) == ["launch", "failed"] and len(group.alive) == 3


def test_after_the_cause_is_gone_the_failed_instance_is_ended_and_the_roll_goes_on() -> None:
    group = fleet()
    group.joins = False
    roll(group)
    group.joins = True
    broken = group.vms[-1].id
    # It will never join: what was wrong with it is still wrong.
    group.vms[-1].joins = group.now.replace(year=2100)
    outcome, _ = roll(group)
    assert outcome == Outcome("done") and f"terminate {broken}" in group.calls
    assert same(group) and len(group.alive) == 2 and group.fewest == 4


def test_a_launch_that_ec2_refuses_is_told_in_ec2s_words() -> None:
    group = fleet()
    group.refusal = "We currently do not have sufficient t3.small capacity"
    outcome, _ = roll(group)
    assert outcome is not None and outcome.kind == "failed"
    assert "EC2 launches no instance: We currently do not have" in outcome.reason


def test_an_instance_whose_agent_is_silent_is_ended_when_its_tasks_run_elsewhere() -> None:
    group = fleet(size=3, maximum=4)
    group.lose(group.vms[0])
    outcome, _ = roll(group)
    assert outcome == Outcome("done") and same(group) and len(group.alive) == 3


def test_an_instance_that_a_person_drains_is_left_to_them() -> None:
    group = fleet(old=NEW, size=3, maximum=3)
    group.vms[0].draining = True
    assert roll(group)[0] == Outcome("no-changes")


@settings(max_examples=150, deadline=None)
@given(
    size=st.integers(1, 4),
    spare=st.integers(0, 2),
    tasks=st.integers(1, 8),
    start=st.integers(10, 300),
    slow=st.sampled_from([0, 1, 7, 30]),
    interruptions=st.lists(st.integers(1, 60), max_size=4),
    everything=st.booleans(),
    ties=st.lists(st.sampled_from("ab"), max_size=12),
)
def test_no_task_is_lost_whenever_a_roll_is_interrupted(
    size: int,
    spare: int,
    tasks: int,
    start: int,
    slow: int,
    interruptions: list[int],
    everything: bool,
    ties: list[str],
) -> None:
    tasks = min(tasks, 4 * size)
    group = fleet(size=size, maximum=size + spare, tasks=tasks, start=start, slow=slow, ties=ties)
    try:
        for looks in interruptions:
            if roll(group, looks=looks, everything=everything)[0] is not None:
                break
            group.pass_time(slow + 40)  # a person needs longer than AWS to come back
        outcome, _ = roll(group, everything=everything)
    except OpsError as error:
        assert "cannot be replaced" in str(error) and not spare
        return
    assert outcome is not None and outcome.good
    group.pass_time(120)
    assert same(group)
    assert group.desired == size == len(group.alive)
    assert group.fewest == tasks
    assert group.tags == {}
    zones = group.zones()
    assert abs(zones["a"] - zones["b"]) <= 1, "or Auto Scaling would balance them by itself"
