"""More or fewer tasks by hand, looked at before and followed to the end."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.procedure import Joining, Overtaken
from opsctl.rollout import scale
from opsctl.rollout.scale import ScalePlan
from opsctl.rollout.watch import Counts
from opsctl.snapshot.snapshot import Look, Snapshot
from tests.opsctl.rollout.test_plan import INSTANCES
from tests.opsctl.rollout.test_roll import Ecs
from tests.opsctl.snapshots import (
    OLD,
    Driven,
    config,
    deployment,
    event,
    happened,
    service,
    snapshot,
    stack,
)
from tests.opsctl.stacks.fake import Clients, CloudFormation

CONFIG = config("ecs.desired_count=2")
TWO = snapshot(deployment("d1", OLD), instances=INSTANCES)
IDLE = stack("ecs", "UPDATE_COMPLETE")


def of(count: int, running: int, states: str, seconds: float = 0) -> Snapshot:
    one = deployment("d1", OLD, desired=count, running=running)
    return snapshot(
        service=service(one, desired=count), states=states, instances=INSTANCES, seconds=seconds
    )


class World:
    def __init__(self, count: int, *snapshots: Snapshot, answer: bool = True, **more: Any) -> None:
        self.ecs = Ecs()
        clients = cast(Any, Clients(CloudFormation(), ecs=self.ecs))
        procedure = scale.scale(
            clients, more.get("config", CONFIG), count, timeout=timedelta(minutes=5)
        )
        self.driven = Driven(procedure, snapshots, more.get("answers", [answer]))


def test_more_tasks_are_followed_until_they_serve() -> None:
    growing = of(3, 2, "healthy healthy initial")
    world = World(3, TWO, TWO, growing, of(3, 3, "healthy healthy healthy"))
    assert world.driven.result.kind == "done"
    [update] = world.ecs.updates
    assert update["desiredCount"] == 3 and "forceNewDeployment" not in update
    assert [one.new_running for one in world.driven.of(Counts)] == [2, 3]


def test_the_plan_has_the_room_and_without_it_nothing_is_asked() -> None:
    with pytest.raises(OpsError, match="28 more tasks need room, and the instances have room"):
        World(30, TWO)
    driven = Driven(scale.preview(CONFIG, 4), [TWO])
    assert driven.result is True
    [plan] = driven.of(ScalePlan)
    assert (plan.before, plan.after, plan.room) == (2, 4, 2)


def test_scaling_to_zero_needs_the_services_name() -> None:
    world = World(0, TWO, TWO, of(0, 0, ""))
    [question] = world.driven.questions
    assert question.name == "web" and world.driven.result.kind == "done"


def test_as_many_as_run_is_no_change_and_a_no_changes_nothing() -> None:
    assert World(2, TWO).driven.result.kind == "no-changes"
    declined = World(3, TWO, answer=False)
    assert declined.driven.result.kind == "cancelled" and declined.ecs.updates == []


def test_tasks_that_do_not_start_are_reported_at_the_timeout() -> None:
    late = of(3, 2, "healthy healthy", seconds=400)
    outcome = World(3, TWO, TWO, late).driven.result
    assert outcome.kind == "timed-out"
    assert outcome.reason == "2 of 3 tasks run, 2 targets are healthy"


def test_the_time_begins_when_the_tasks_are_asked_for_not_before_the_question() -> None:
    later = {"seconds": 660.0}
    growing, grown = of(3, 2, "healthy healthy", **later), of(3, 3, "healthy " * 3, **later)
    two = replace(TWO, at=growing.at)
    assert World(3, TWO, two, growing, grown).driven.result.kind == "done"


def test_another_count_set_during_the_question_is_planned_and_asked_again() -> None:
    four = of(4, 4, "healthy " * 4)
    world = World(3, TWO, four, four, four, of(3, 3, "healthy " * 3), answers=[True, True])
    assert world.driven.result.kind == "done" and len(world.ecs.updates) == 1
    assert [one.text for one in world.driven.of(Overtaken)] == [
        "somebody set `web` to 4 tasks; looking again"
    ]
    assert "instead of 4" in world.driven.questions[1].text


def test_a_service_that_scales_itself_is_not_set_by_hand() -> None:
    scaling = config("ecs.scaling={minimum: 2, maximum: 8, cpu_percent: 60}")
    with pytest.raises(OpsError, match="keeps between 2 and 8 tasks by itself"):
        World(3, TWO, config=scaling)


def test_before_the_first_release_there_is_nothing_to_scale() -> None:
    made = snapshot(stacks={"ecs": stack("ecs", "CREATE_COMPLETE")})
    for now, why, first in (
        (snapshot(), "there is no stack", "opsctl ecs up"),
        (made, "no release yet", "opsctl update-tasks"),
    ):
        with pytest.raises(OpsError, match=why) as caught:
            World(3, now)
        assert caught.value.hint == first


def test_a_service_that_somebody_deleted_is_not_called_unreleased() -> None:
    released = stack("ecs", "UPDATE_COMPLETE", parameters={"Image": "repository@sha256:1"})
    with pytest.raises(OpsError, match="somebody deleted it") as caught:
        World(3, snapshot(stacks={"ecs": released}))
    assert caught.value.hint == "opsctl ecs up --revert-drift"


def test_a_stack_operation_is_followed_first_because_it_sets_the_count_too() -> None:
    busy = replace(TWO, stacks={"ecs": stack("ecs", "UPDATE_IN_PROGRESS")})
    ended = replace(happened(event("e1", "UPDATE_COMPLETE")), stacks={"ecs": IDLE})
    grown = of(3, 3, "healthy healthy healthy")
    world = World(3, busy, busy, ended, replace(TWO, stacks={"ecs": IDLE}), TWO, TWO, grown)
    assert world.driven.of(Joining) and world.driven.result.kind == "done"
    assert [one["desiredCount"] for one in world.ecs.updates] == [3]


def test_the_stack_alone_shows_that_somebody_deleted_the_service() -> None:
    made = stack("ecs", "UPDATE_COMPLETE", outputs={"ServiceArn": "arn:aws:ecs:x/web"})
    look = Look(frozenset({"stacks", "service"}), ("ecs",))
    with pytest.raises(OpsError, match="somebody deleted it") as caught:
        World(3, snapshot(stacks={"ecs": made}, look=look))
    assert caught.value.cause == "service-gone"
