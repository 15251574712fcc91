"""A group that the config makes smaller: CloudFormation ends no instance that has tasks."""

from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.procedure import Notice
from opsctl.rollout.instances import Machine, Step
from opsctl.rollout.shrink import Shrinking, foresee
from opsctl.stacks import definition
from opsctl.stacks.changes import Change, Plan, PropertyChange
from tests.opsctl.rollout.fleet import Fleet
from tests.opsctl.snapshots import Driven, config
from tests.opsctl.stacks.fake import Clients, CloudFormation

CONFIG = config("ecs.desired_count=4", "compute.instance_type=t3.small", "compute.desired=2")
MACHINE = Machine("ami-1", "t3.small", "hash")
GROUP, PROVIDER = "AWS::AutoScaling::AutoScalingGroup", "AWS::ECS::CapacityProvider"


def planned(*properties: str, provider: str = "") -> Plan:
    changed = tuple(PropertyChange(name, False) for name in properties)
    changes = [Change("Modify", "AutoScalingGroup", GROUP, "False", changed)]
    if provider:
        changes.append(Change(provider, "CapacityProvider", PROVIDER))
    return Plan(definition.ecs(CONFIG), "UPDATE", tuple(changes))


def shrunk(fleet: Fleet, plan: Plan, *overrides: str) -> Driven:
    clients = cast(Any, Clients(CloudFormation(), autoscaling=fleet, ecs=fleet))
    wanted = config("ecs.desired_count=1", "compute.instance_type=t3.small", *overrides)
    return Driven(Shrinking(clients, wanted, None).begin(plan), fleet.look)


def test_instances_are_drained_one_after_another_and_no_request_is_lost() -> None:
    fleet = Fleet(MACHINE, old=MACHINE, size=4, maximum=4, tasks=4)
    driven = shrunk(fleet, planned("DesiredCapacity"), "compute.desired=2")
    assert fleet.desired == len(fleet.alive) == 2 and fleet.lost == []
    assert sum(one.action == "drain" for one in driven.of(Step)) == 2
    assert "opsctl:roll" not in fleet.tags


def test_a_smaller_maximum_makes_the_group_smaller_too() -> None:
    fleet = Fleet(MACHINE, old=MACHINE, size=3, maximum=3, tasks=2)
    shrunk(fleet, planned("MaxSize"), "compute.desired=2", "compute.maximum=2")
    assert fleet.desired == 2 and fleet.lost == []


@pytest.mark.parametrize(
    ("properties", "overrides", "provider"),
    [
        (("Tags",), ("compute.desired=1",), ""),
        (("DesiredCapacity",), ("compute.desired=4",), ""),
        (("DesiredCapacity",), ("compute.desired=1", "compute.capacity_provider=true"), ""),
    ],
)
def test_a_group_that_keeps_its_size_or_drains_by_itself_is_left_alone(
    properties: tuple[str, ...], overrides: tuple[str, ...], provider: str
) -> None:
    fleet = Fleet(MACHINE, old=MACHINE, size=2, maximum=4, tasks=2)
    shrunk(fleet, planned(*properties, provider=provider), "compute.maximum=4", *overrides)
    assert fleet.calls == []


def foreseen(fleet: Fleet, *overrides: str) -> None:
    wanted = config("ecs.desired_count=1", "compute.instance_type=t3.small", *overrides)
    Driven(foresee(wanted, planned("VPCZoneIdentifier")), fleet.look)


def test_other_subnets_are_refused_while_auto_scaling_balances_the_zones() -> None:
    fleet = Fleet(MACHINE, old=MACHINE, size=2, maximum=4, tasks=2)
    with pytest.raises(OpsError, match="balances the zones of `asg` anew") as caught:
        foreseen(fleet)
    processes = "--auto-scaling-group-name asg --scaling-processes AZRebalance"
    assert caught.value.hint == (
        f"one after another: aws autoscaling suspend-processes {processes}; opsctl ecs up; "
        f"opsctl ecs roll-instances --all; aws autoscaling resume-processes {processes}"
    )
    foreseen(fleet, "compute.capacity_provider=true")  # it drains them
    fleet.engine.suspend("asg", ["AZRebalance"])
    foreseen(fleet)


def test_other_subnets_of_instances_without_tasks_are_allowed() -> None:
    foreseen(Fleet(MACHINE, old=MACHINE, size=2, maximum=4, tasks=0))


def test_what_was_interrupted_goes_on() -> None:
    fleet = Fleet(MACHINE, old=MACHINE, size=3, maximum=4, tasks=4)
    fleet.drain(fleet.alive[0].id)
    fleet.tags["opsctl:roll"] = "2"
    shrunk(fleet, planned("DesiredCapacity"), "compute.desired=2")
    assert fleet.desired == 2 and fleet.lost == []
    assert not [one for one in fleet.calls if one.startswith("drain")]


def test_an_interrupted_roll_of_every_instance_is_not_forgotten() -> None:
    # `roll-instances` said afterwards that every instance is new, and both old ones were there.
    fleet = Fleet(MACHINE, old=MACHINE, size=3, maximum=4, tasks=4)
    fleet.tags["opsctl:roll"] = "3 2026-11-26T12:15:12+00:00"
    shrunk(fleet, planned("DesiredCapacity"), "compute.desired=2")
    assert fleet.desired == 2 and fleet.tags["opsctl:roll"] == "2 2026-11-26T12:15:12+00:00"


@pytest.mark.parametrize(
    ("fleet", "said"),
    [
        ({"tasks": 8, "size": 3}, "the others have room for"),
        ({"tasks": 2, "size": 3, "minimum": 2}, "may not get smaller than 2"),
    ],
)
def test_it_is_refused_before_anybody_is_asked(fleet: dict[str, Any], said: str) -> None:
    made = Fleet(MACHINE, old=MACHINE, maximum=4, **fleet)
    clients = cast(Any, Clients(CloudFormation(), autoscaling=made, ecs=made))
    wanted = config("ecs.desired_count=1", "compute.instance_type=t3.small", "compute.desired=1")
    with pytest.raises(OpsError, match=said):
        Driven(Shrinking(clients, wanted, None).planned(planned("DesiredCapacity")), made.look)
    assert made.calls == []


def test_the_plan_says_that_instances_are_drained() -> None:
    fleet = Fleet(MACHINE, old=MACHINE, size=3, maximum=4, tasks=2)
    clients = cast(Any, Clients(CloudFormation(), autoscaling=fleet, ecs=fleet))
    driven = Driven(
        Shrinking(clients, CONFIG, None).planned(planned("DesiredCapacity")), fleet.look
    )
    [notice] = driven.of(Notice)
    assert notice.text == "before that, 1 instance of `asg` will be drained and terminated"


def test_an_agent_that_reconnects_is_waited_for() -> None:
    fleet = Fleet(MACHINE, old=MACHINE, size=3, maximum=4, tasks=2)
    fleet.silence()
    fleet.later(4, lambda: fleet.silence(silent=False))
    clients = cast(Any, Clients(CloudFormation(), autoscaling=fleet, ecs=fleet))
    changed = planned("DesiredCapacity")
    driven = Driven(Shrinking(clients, CONFIG, None).planned(changed), fleet.look)
    agents, drained = driven.of(Notice)
    assert "the ECS agents are disconnected" in agents.text and "drained" in drained.text


def test_what_a_task_needs_is_made_before_an_instance_is_drained() -> None:
    # The drain waited for tasks that could not start, because their log group was to come after it.
    fleet = Fleet(MACHINE, old=MACHINE, size=4, maximum=4, tasks=4)
    plan = planned("DesiredCapacity")
    absent = Change("Add", "StdoutLogGroup", "AWS::Logs::LogGroup", drift="DELETED")
    changes = (*plan.changes, absent)
    wanted = config("ecs.desired_count=1", "compute.instance_type=t3.small", "compute.desired=2")
    with pytest.raises(OpsError, match="StdoutLogGroup must be there before") as caught:
        Driven(foresee(wanted, Plan(plan.stack, "UPDATE", changes)), fleet.look)
    assert caught.value.hint == (
        "opsctl --set compute.desired=4 --set compute.maximum=4 ecs up --revert-drift; "
        "then: opsctl ecs up"
    )
    assert fleet.calls == []
