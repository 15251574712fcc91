"""Instances replaced under a service that must not lose a task, whatever AWS and people do."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Driver, Notice, Question
from opsctl.rollout import members, roll_instances
from opsctl.rollout.instances import InstancePlan, Machine, Step
from opsctl.stacks import definition
from opsctl_sandbox.cluster.failures import Failure
from tests.opsctl.rollout.fleet import Fleet
from tests.opsctl.snapshots import Driven, config, stack
from tests.opsctl.ssm import Killed

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
    return all(
        (one.image, one.instance_type) == (NEW.image, NEW.type)
        and dict(one.script.attributes)["opsctl.machine"] == NEW.hash
        for one in fleet.alive
    )


def whole(fleet: Fleet) -> bool:
    """Every target is healthy again, and on the way there no request was lost."""
    return fleet.lost == [] and fleet.fewest >= fleet.least and fleet.tags == {}


@pytest.mark.parametrize(
    "other", ["compute.instance_type=t3.large", "compute.metadata_hop_limit=2"]
)
def test_with_another_config_than_the_stacks_no_instance_is_replaced_in_vain(other: str) -> None:
    group = fleet()
    group.template = definition.ecs(CONFIG).template
    wanted = config("ecs.desired_count=4", "compute.instance_type=t3.small", other)
    for procedure in (roll_instances.roll_instances, roll_instances.differ):
        with pytest.raises(OpsError, match="starts other instances than opsctl.yaml") as caught:
            Driven(procedure(cast(Any, group), wanted), group.look)
        assert caught.value.hint == "opsctl ecs up"
    assert group.calls == []
    assert roll(group)[0] is not None  # with the stack's own config it goes on


def test_a_new_instance_joins_before_an_old_one_goes() -> None:
    group = fleet(zones="a")
    outcome, items = roll(group)
    assert outcome == Outcome("done")
    assert steps(items) == ["launch", "drain", "terminate", "drain", "terminate", "done"]
    assert same(group) and len(group.alive) == 2 and group.desired == 2
    assert whole(group)


def test_zones_that_would_be_out_of_balance_are_balanced_by_one_more_instance() -> None:
    group = fleet()
    outcome, items = roll(group)
    assert outcome == Outcome("done")
    assert steps(items)[-3:] == ["drain", "terminate", "done"]
    assert group.zones() == {"a": 1, "b": 1} and whole(group)


def test_the_plan_says_which_instances_go_and_why() -> None:
    _, items = roll(fleet(), answers=[False])
    [plan] = [item for item in items if isinstance(item, InstancePlan)]
    why = "its image is ami-old, not ami-new"
    assert [one.why for one in plan.replacements] == [why, why]
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


def test_what_changed_during_the_question_is_planned_and_asked_again() -> None:
    group = fleet(zones="a")
    procedure = roll_instances.roll_instances(cast(Any, group), CONFIG)
    driver = Driver(procedure, look=group.look, sleep=group.pass_time)
    plans: list[InstancePlan] = []
    for item in driver:
        if isinstance(item, InstancePlan):
            plans.append(item)
        if isinstance(item, Question):
            if len(plans) == 1:
                group.resize(3)
                group.pass_time(600)
            driver.answer(True)
    assert [one.size for one in plans] == [2, 3] and driver.result == Outcome("done")
    assert same(group) and whole(group)


def test_nothing_is_done_without_an_answer() -> None:
    group = fleet()
    outcome, _ = roll(group, answers=[False])
    assert outcome == Outcome("cancelled", "no instance was replaced")
    assert group.calls == [] and group.tags == {}


def test_instances_that_are_as_they_should_be_stay() -> None:
    group = fleet(old=NEW)
    outcome, _ = roll(group)
    assert outcome == Outcome("no-changes") and group.calls == []


def test_an_instance_of_an_older_opsctl_without_a_hash_is_kept() -> None:
    group = fleet(old=replace(NEW, hash=""))
    assert roll(group)[0] == Outcome("no-changes")


def test_all_replaces_those_too_and_each_new_instance_only_once() -> None:
    group = fleet(old=NEW)
    before = {one.id for one in group.alive}
    outcome, _ = roll(group, everything=True)
    assert outcome == Outcome("done")
    assert not before & {one.id for one in group.alive} and group.desired == 2


def test_all_goes_on_after_ctrl_c_with_those_that_were_left() -> None:
    group = fleet(old=NEW)
    assert roll(group, everything=True, looks=40)[0] is None
    assert members.TAG in group.tags
    new = [one.id for one in group.alive if one.launched > 900]
    assert roll(group, everything=True)[0] == Outcome("done")
    assert new and not [call for call in group.calls if call == f"drain {new[0]}"]


def test_all_interrupted_twice_replaces_no_new_instance() -> None:
    group = fleet(old=NEW, size=3)
    before = {one.id for one in group.alive}
    for looks in (40, 5):
        assert roll(group, everything=True, looks=looks)[0] is None
    new = {one.id for one in group.alive} - before
    assert roll(group, everything=True)[0] == Outcome("done")
    assert new and new <= {one.id for one in group.alive}


def test_a_group_that_may_not_grow_drains_where_the_others_have_room() -> None:
    group = fleet(maximum=2)
    outcome, items = roll(group)
    assert outcome == Outcome("done")
    assert steps(items) == ["drain", "terminate", "drain", "terminate", "done"]
    assert whole(group)


def test_without_room_the_arithmetic_is_told_before_anything_happens() -> None:
    group = fleet(maximum=2, tasks=6)
    with pytest.raises(OpsError) as caught:
        roll(group)
    first = group.alive[0].id
    assert str(caught.value) == (
        f"{first} cannot be replaced: it runs 4 tasks, 1 other instance can take 2, "
        "and the group may not grow beyond 2"
    )
    assert caught.value.hint == "set `compute.maximum: 3`, then run: opsctl ecs up"
    assert group.calls == []


@pytest.mark.parametrize("call", ["drain", "terminate"])
def test_without_room_to_grow_it_goes_on_after_kill_9_too(call: str) -> None:
    # The instance that comes for the terminated one had not joined: "no room on the other 0".
    group = fleet(maximum=2)
    group.dies_at = {"drain": 7, "terminate": 9}[call]
    with pytest.raises(Killed):
        roll(group)
    group.dies_at = None
    assert group.calls[-1].startswith(call)
    outcome, _ = roll(group)
    assert outcome == Outcome("done") and same(group) and whole(group)


@pytest.mark.parametrize("maximum", [2, 3])
def test_tasks_that_can_neither_stop_nor_start_first_are_told_before_anything_happens(
    maximum: int,
) -> None:
    # With room for a new instance the roll drained an old one, and waited for ever.
    group = fleet(maximum=maximum, tasks=1, minimum_percent=50, maximum_percent=100)
    with pytest.raises(OpsError, match="no task may be started before an old one stops"):
        roll(group)
    assert group.calls == []


def test_an_instance_that_never_joins_ends_the_roll_and_the_old_ones_serve_on() -> None:
    group = fleet(tells=False)
    group.fails(Failure("instance-never-joins"))
    outcome, _ = roll(group)
    assert outcome is not None and outcome.kind == "failed"
    assert "has not joined the cluster in 15 minutes" in outcome.reason
    assert group.fewest == 4 and group.calls == ["tag", "desire 3"]


def test_an_instance_that_says_that_it_cannot_start_ends_the_roll_at_once() -> None:
    # The roll waited the whole `compute.signal_timeout`, although the console said it already.
    group = fleet()
    group.fails(Failure("start-script-cannot-download"))
    began = group.engine.world.now
    outcome, _ = roll(group)
    assert outcome is not None and outcome.kind == "failed"
    assert outcome.reason.startswith("i-") and "says that it cannot start" in outcome.reason
    assert group.fewest == 4 and group.calls == ["tag", "desire 3"]
    assert group.engine.world.now - began < 180 and group.consoles < 6

    group.fails()
    outcome, _ = roll(group)
    assert outcome == Outcome("done") and same(group) and whole(group)


def test_a_new_instance_that_differs_too_ends_the_roll() -> None:
    # It went on for ever, because every new instance was one more to be replaced.
    group = fleet()
    group.launches(replace(NEW, image="ami-other"))
    outcome, items = roll(group)
    assert outcome is not None and outcome.kind == "failed"
    assert "is new and still differs: its image is ami-other, not ami-new" in outcome.reason
    assert outcome.hint == "first: opsctl ecs up, then: opsctl ecs roll-instances"
    assert steps(items) == ["launch", "failed"] and len(group.alive) == 3


def test_after_the_cause_is_gone_the_failed_instance_is_ended_and_the_roll_goes_on() -> None:
    group = fleet()
    group.fails(Failure("instance-never-joins"))
    roll(group)
    group.fails()
    [broken] = [one.id for one in group.alive if not one.joined]
    outcome, _ = roll(group)
    assert outcome == Outcome("done") and f"terminate {broken}" in group.calls
    assert same(group) and len(group.alive) == 2 and whole(group)


def test_an_instance_that_auto_scaling_launched_and_that_never_joined_is_replaced() -> None:
    # It served nothing and nobody noticed: the roll looked at those in the cluster only.
    group = fleet(old=NEW)
    group.fails(Failure("instance-never-joins", times=1))
    gone = group.alive[0].id
    group.engine.terminate_instance(gone)
    group.pass_time(120.0)
    outcome, items = roll(group)
    [broken] = [one.id for one in group.alive if not one.joined]
    assert outcome == Outcome("no-changes") and not group.calls
    assert any(broken in item.text for item in items if isinstance(item, Notice))

    group.pass_time(900.0)
    outcome, items = roll(group)
    [planned] = [item for item in items if isinstance(item, InstancePlan)]
    assert [(one.instance, one.why) for one in planned.replacements] == [
        (broken, "it is not in the cluster")
    ]
    assert outcome == Outcome("done") and f"terminate {broken}" in group.calls
    assert [one.joined for one in group.alive] == [True, True]


def test_a_launch_that_ec2_refuses_is_told_in_ec2s_words() -> None:
    group = fleet()
    group.fails(Failure("launch-refused"))
    outcome, _ = roll(group)
    assert outcome is not None and outcome.kind == "failed"
    assert "EC2 launches no instance: We currently do not have" in outcome.reason


def test_an_instance_whose_agent_is_silent_is_ended_when_its_tasks_run_elsewhere() -> None:
    group = fleet(size=3, maximum=4)
    group.silence(group.alive[0].id)
    outcome, _ = roll(group)
    assert outcome == Outcome("done") and same(group) and len(group.alive) == 3 and whole(group)


def test_an_agent_that_is_silent_for_a_moment_cuts_off_no_request() -> None:
    # Its tasks ran elsewhere, so it was ended, although its connections had not drained yet.
    group = fleet(zones="a", drain=300)
    for seconds in range(0, 1500, 20):
        group.later(seconds, group.silence)
        group.later(seconds + 4, lambda: group.silence(silent=False))
    outcome, _ = roll(group)
    assert outcome == Outcome("done") and whole(group)


def test_what_never_moves_ends_the_roll_with_what_it_waited_for() -> None:
    group = fleet()
    group.later(60, lambda: group.scale(20))  # more than there is room for
    outcome, _ = roll(group)
    assert outcome is not None and outcome.kind == "failed"
    why = "nothing has changed for 30 minutes: waiting until every task is healthy"
    assert outcome.reason.startswith(why) and group.lost == []


@pytest.mark.parametrize("before", [True, False])
def test_a_group_that_somebody_suspended_is_told_and_how_to_resume_it(before: bool) -> None:
    group = fleet()
    suspend = partial(group.engine.suspend, "asg", ["Launch", "AZRebalance"])
    if before:
        suspend()
        with pytest.raises(OpsError, match="suspended the processes of `asg`: Launch") as caught:
            roll(group)
        assert caught.value.hint == (
            "aws autoscaling resume-processes --auto-scaling-group-name asg "
            "--scaling-processes Launch"
        )
        assert group.calls == []
        return
    group.later(200, suspend)
    outcome, _ = roll(group)
    assert outcome is not None and "suspended the processes of `asg`: Launch" in outcome.reason
    assert outcome.hint == (
        "first: aws autoscaling resume-processes --auto-scaling-group-name asg "
        "--scaling-processes Launch, then: opsctl ecs roll-instances"
    )


def test_a_size_that_somebody_sets_meanwhile_stays() -> None:
    group = fleet(maximum=5)
    group.later(200, lambda: group.resize(5))
    outcome, items = roll(group)
    assert outcome == Outcome("done") and same(group) and group.lost == []
    assert group.desired == len(group.alive) == 4
    told = [item.text for item in items if isinstance(item, Notice)]
    assert told == ["somebody resized `asg` to 5; after the roll it will have 4"]


def test_an_instance_that_a_person_drains_is_left_to_them() -> None:
    group = fleet(old=NEW, size=3, maximum=3)
    group.drain(group.alive[0].id)
    assert roll(group)[0] == Outcome("no-changes")


def test_a_new_instance_that_a_person_drains_during_the_roll_is_left_to_them() -> None:
    group = fleet(size=3, maximum=4)
    before = {one.id for one in group.alive}
    drained: list[str] = []

    def drain() -> None:
        drained.extend(one.id for one in group.alive if one.id not in before)
        group.drain(drained[0])

    group.later(600, drain)
    roll(group)
    assert drained[0] in {one.id for one in group.alive} and group.lost == []


def test_room_that_is_gone_in_the_middle_ends_the_roll_before_it_drains_more() -> None:
    group = fleet(maximum=2)
    group.later(120, lambda: group.scale(6))
    outcome, items = roll(group)
    assert outcome is not None and "cannot be replaced: it runs" in outcome.reason
    assert steps(items).count("drain") == 1 and group.lost == []


def test_a_cluster_with_another_name_in_the_config_is_renamed_by_its_stack_first() -> None:
    world = fleet()
    renamed = config("ecs.cluster_name=other")
    procedure = roll_instances.roll_instances(cast(Any, world), renamed)
    made = stack("ecs", "UPDATE_COMPLETE", outputs={"ClusterName": "web"})
    look = world.look
    with pytest.raises(
        OpsError, match="names the cluster `other`, and it is still `web`"
    ) as caught:
        Driven(procedure, lambda at: replace(look(at), stacks={"ecs": made}))
    assert caught.value.hint == "opsctl ecs up"
