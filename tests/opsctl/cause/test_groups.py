"""Causes in a group of instances that somebody changed outside of its stack."""

from dataclasses import replace
from typing import Any

import pytest

from opsctl.snapshot.instances import ROLLING, Group, GroupInstance
from tests.opsctl.cause.histories import ids, ranked
from tests.opsctl.cause.test_ranking import STEADY
from tests.opsctl.snapshots import stack, targets

WHOLE = Group(
    "asg", 0, 3, 2, instances=(GroupInstance("i-1"), GroupInstance("i-2")), tags={"a": "b"}
)
ECS = stack("ecs", "UPDATE_COMPLETE", outputs={"ConfiguredInstances": "2 instances (0 to 3)"})
AT_REST = replace(STEADY, stacks={"ecs": ECS}, group=WHOLE)


def test_a_group_as_its_stack_asks_for_is_not_mentioned() -> None:
    assert ids(AT_REST) == []


@pytest.mark.parametrize(
    ("sizes", "live"),
    [
        ({"desired": 3}, "3 instances (0 to 3)"),
        ({"maximum": 5}, "2 instances (0 to 5)"),
        ({"minimum": 1}, "2 instances (1 to 3)"),
    ],
)
def test_a_group_that_somebody_resized_is_worth_knowing(sizes: Any, live: str) -> None:
    [cause] = ranked(replace(AT_REST, group=replace(WHOLE, **sizes)))
    assert (cause.id, cause.hinders) == ("group-resized", False)
    assert cause.sentence == (
        f"`asg` has {live}, its stack asks for 2 instances (0 to 3): somebody set that by hand"
    )
    assert cause.next == "to set it back: opsctl ecs up --revert-drift"


def test_a_smaller_group_is_what_is_wrong_when_tasks_are_missing() -> None:
    short = replace(
        AT_REST,
        service=replace(STEADY.service, running=1) if STEADY.service else None,
        targets=targets("healthy"),
        group=replace(WHOLE, desired=1, instances=WHOLE.instances[:1]),
    )
    first = ranked(short)[0]
    assert (first.id, first.hinders) == ("group-resized", True)


def test_with_a_capacity_provider_only_the_bounds_are_the_stacks() -> None:
    bounds = replace(ECS, outputs={"ConfiguredInstances": "0 to 3 instances"})
    now = replace(AT_REST, stacks={"ecs": bounds}, group=replace(WHOLE, desired=3))
    assert ids(now) == []
    assert ids(replace(now, group=replace(WHOLE, maximum=4))) == ["group-resized"]


@pytest.mark.parametrize(
    "more",
    [
        {"stacks": {"ecs": replace(ECS, status="UPDATE_IN_PROGRESS")}},
        {"stacks": {"ecs": replace(ECS, outputs={})}},
        {"group": replace(WHOLE, desired=3, tags={ROLLING: "1"})},
        {"group": Group("asg")},
    ],
    ids=["the stack changes it", "an older opsctl made the stack", "opsctl rolls it", "gone"],
)
def test_a_size_that_nobody_set_by_hand_is_not_called_so(more: Any) -> None:
    now = replace(AT_REST, group=replace(WHOLE, desired=3))
    assert "group-resized" not in ids(replace(now, **more))


@pytest.mark.parametrize("process", ["Launch", "Terminate"])
def test_a_suspended_group_that_lacks_nothing_yet_is_worth_knowing(process: str) -> None:
    [cause] = ranked(replace(AT_REST, group=replace(WHOLE, suspended=(process, "AZRebalance"))))
    assert (cause.id, cause.hinders) == ("asg-cannot-launch", False)
    assert cause.sentence == (
        f"somebody suspended the processes of `asg`: {process}, so no instance is replaced"
    )
    assert cause.next.endswith(f"--scaling-processes {process}")
