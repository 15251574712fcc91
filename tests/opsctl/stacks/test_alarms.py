"""The stack of the alarms: when it takes no action, and what was changed by hand."""

from dataclasses import replace
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.procedure import Notice
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.stacks import alarms, definition
from opsctl.stacks.alarms import Drift
from opsctl.stacks.changes import Plan
from tests.opsctl.alarms.live import CONFIG, TOPIC, seen
from tests.opsctl.snapshots import Driven, stack, stacks
from tests.opsctl.stacks.fake import Clients, CloudFormation


class CloudWatch:
    def __init__(self) -> None:
        self.put: list[dict[str, Any]] = []

    def put_metric_alarm(self, **given: Any) -> None:
        self.put.append(given)


class World:
    """Live alarms as the catalogue has them, but for `live`; `changes` of the stack."""

    def __init__(self, *, changes: tuple[str, ...] = (), **live: Any) -> None:
        self.cloudwatch, self.live = CloudWatch(), live
        self.gone: set[str] = set()
        self.cloudformation = CloudFormation(changes=changes)
        self.clients = cast(Any, Clients(self.cloudformation, cloudwatch=self.cloudwatch))

    def look(self, look: Look) -> Snapshot:
        now = seen(**({} if self.cloudwatch.put else self.live))
        left = tuple(one for one in now.alarms if one.name not in self.gone)
        taken = tuple(one for one in look.wanted if one.name not in self.gone)
        return replace(now, alarms=left, taken=taken)

    def plan(self) -> Driven:
        return Driven(alarms.preview(self.clients, CONFIG), self.look)

    def up(self, *answers: bool) -> Driven:
        return Driven(alarms.up(self.clients, CONFIG), self.look, answers)


def test_without_differences_the_plan_is_empty() -> None:
    driven = World().plan()
    assert driven.result is False
    assert driven.of(Drift) == []


def test_what_was_changed_by_hand_is_part_of_the_plan() -> None:
    driven = World(threshold=1.0).plan()
    assert driven.result is True
    [drift] = driven.of(Drift)
    assert drift == Drift("web-running-tasks", ("threshold is 1.0 instead of 2.0",))


def test_what_was_changed_by_hand_is_told_beside_what_the_stack_changes() -> None:
    driven = World(changes=("ServiceCpu",), threshold=1.0).plan()
    assert [one.name for one in driven.of(Drift)] == ["web-running-tasks"]
    # The stack itself brings this one back.
    driven = World(changes=("RunningTasks",), threshold=1.0).plan()
    assert driven.result is True and driven.of(Drift) == []


def test_up_puts_back_what_was_changed_by_hand_after_a_yes() -> None:
    world = World(threshold=1.0)
    assert world.up(True).result.kind == "done"
    [put] = world.cloudwatch.put
    assert (put["AlarmName"], put["Threshold"]) == ("web-running-tasks", 2.0)
    assert put["AlarmActions"] == ["arn:aws:sns:us-east-1:1:web-alarms"]


def test_nothing_of_a_service_that_never_came_to_be_is_watched() -> None:
    dead = stacks(stack("ecs", "ROLLBACK_FAILED"))
    looked = replace(dead, look=Look(frozenset({"stacks", "subnets", "alarms"})))
    with pytest.raises(OpsError, match="nothing in it to watch") as caught:
        Driven(alarms.preview(World().clients, CONFIG), [looked])
    assert caught.value.hint == "opsctl ecs up"


def test_a_no_leaves_what_was_changed_by_hand() -> None:
    world = World(threshold=1.0)
    assert world.up(False).result.kind == "no-changes"
    assert world.cloudwatch.put == []


def test_before_the_first_release_the_alarms_take_no_action() -> None:
    driven = World(image="unreleased", live=False).plan()
    [plan] = driven.of(Plan)
    assert plan.kind == "CREATE"
    assert "nothing is released yet" in driven.of(Notice)[0].text
    assert "ActionsEnabled: false" in definition.alarms(CONFIG, released=False).template
    assert "ActionsEnabled" not in definition.alarms(CONFIG).template


def test_without_the_ecs_stack_there_is_nothing_to_watch() -> None:
    with pytest.raises(OpsError) as caught:
        Driven(alarms.preview(cast(Any, Clients(CloudFormation())), CONFIG), [stacks()])
    assert caught.value.hint == "opsctl ecs up"


@pytest.mark.parametrize("gone", ["web-running-tasks", TOPIC])
def test_an_alarm_or_topic_that_somebody_deleted_is_made_again(gone: str) -> None:
    world = World(changes=("RunningTasks",))
    world.cloudformation.resources = [
        {"LogicalResourceId": name, "PhysicalResourceId": id, "ResourceType": type,
         "ResourceStatus": "CREATE_COMPLETE"}
        for name, id, type in (
            ("RunningTasks", "web-running-tasks", "AWS::CloudWatch::Alarm"),
            ("Topic", TOPIC, "AWS::SNS::Topic"),
        )
    ]  # fmt: skip
    assert not world.plan().of(Notice)
    world.gone = {gone}
    driven = world.plan()
    assert f"somebody deleted `{gone}`" in driven.of(Notice)[0].text
    [plan] = driven.of(Plan)
    assert plan.stack.reverts_drift and driven.result is True
