"""More or fewer tasks by hand, looked at before and followed to the end."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Failed, Joining, Notice, Overtaken
from opsctl.rollout import scale
from opsctl.rollout.early_stop import CertainFailure
from opsctl.rollout.scale import ScalePlan
from opsctl.rollout.watch import Counts, TasksStopped
from opsctl.snapshot.instances import Group
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.tasks import Container, Task
from tests.opsctl.rollout.test_plan import INSTANCES
from tests.opsctl.rollout.test_roll import Ecs
from tests.opsctl.snapshots import (
    OLD,
    START,
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
IDLE = stack("ecs", "UPDATE_COMPLETE")
TWO = snapshot(deployment("d1", OLD), instances=INSTANCES, stacks={"ecs": IDLE})


def of(count: int, running: int, states: str, seconds: float = 0) -> Snapshot:
    one = deployment("d1", OLD, desired=count, running=running)
    return snapshot(
        service=service(one, desired=count),
        states=states,
        instances=INSTANCES,
        seconds=seconds,
        stacks={"ecs": IDLE},
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


@pytest.mark.parametrize(
    ("stacks", "words"),
    [({"ecs": replace(IDLE, tags={})}, "was not made by opsctl"), ({}, "there is no stack")],
)
def test_a_service_of_somebody_else_is_never_scaled(stacks: Any, words: str) -> None:
    ecs = Ecs()
    clients = cast(Any, Clients(CloudFormation(), ecs=ecs))
    with pytest.raises(OpsError, match=words):
        theirs = replace(TWO, stacks=stacks)
        Driven(scale.scale(clients, CONFIG, 3, timeout=timedelta(minutes=5)), [theirs])
    assert ecs.updates == []


def test_the_count_of_the_config_is_set_again_if_the_scaling_was_removed_after_it_was_set() -> None:
    ecs = Ecs()
    clients = cast(Any, Clients(CloudFormation(), ecs=ecs))
    three, two = of(3, 3, "healthy healthy healthy"), of(2, 2, "healthy healthy")
    assert Driven(scale.reset(clients, CONFIG), [two]).result.kind == "done"
    assert ecs.updates == []
    driven = Driven(scale.reset(clients, CONFIG), [three, three, three, two])
    assert driven.result.kind == "done" and driven.questions == []
    assert [update["desiredCount"] for update in ecs.updates] == [2]


def test_the_plan_has_the_room_and_without_it_nothing_is_asked() -> None:
    with pytest.raises(OpsError, match="28 more tasks need room, and the instances have room"):
        World(30, TWO)
    driven = Driven(scale.preview(CONFIG, 4), [TWO])
    assert driven.result is True
    [plan] = driven.of(ScalePlan)
    assert (plan.before, plan.after, plan.room) == (2, 4, 2)


def test_fewer_tasks_that_have_no_room_are_set_and_not_waited_for() -> None:
    # All instances are gone: `ecs scale 1` waited ten minutes for a task that nothing can start.
    gone = replace(of(2, 0, ""), instances=())
    world = World(1, *[gone] * 6)
    assert [one["desiredCount"] for one in world.ecs.updates] == [1]
    assert world.driven.result == Outcome(
        "failed", "`web` is set to 1 task; the instances have no room for 1", "opsctl why"
    )
    assert world.driven.of(Failed), "its causes are not looked for"


def test_more_tasks_for_a_group_that_somebody_made_smaller_need_the_group_first() -> None:
    made = replace(IDLE, outputs={"ConfiguredInstances": "2 instances (0 to 3)"})
    none = replace(of(2, 0, ""), instances=(), group=Group("asg", 0, 3, 0), stacks={"ecs": made})
    with pytest.raises(OpsError, match="stack asks for 2 instances") as raised:
        World(3, none)
    assert raised.value.hint == "to set it back: opsctl ecs up --revert-drift"


def test_more_tasks_count_those_that_are_missing_already() -> None:
    with pytest.raises(OpsError, match="30 more tasks need room"):
        World(30, of(2, 0, ""))


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
    driven = World(3, TWO, TWO, late).driven
    outcome = driven.result
    assert outcome.kind == "timed-out"
    assert driven.of(Failed), "its causes are not looked for"
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


def crashing(failed: int, seconds: float, *more: Task) -> Snapshot:
    """Of three tasks the third ended this often."""
    ended = tuple(
        Task(f"new{n}", "STOPPED", OLD, "d1", stop_code="EssentialContainerExited",
             containers=(Container("web", 3),), created=START, started=START,
             stopped=START + timedelta(seconds=n))
        for n in range(failed)
    )  # fmt: skip
    return replace(of(3, 2, "healthy healthy", seconds), tasks=(*ended, *more))


def test_tasks_that_end_are_shown_and_said_once_when_they_end_alike() -> None:
    # Nothing but "has started 1 task" was shown for ten minutes.
    looks = [crashing(1, 10), crashing(3, 20), crashing(4, 30), crashing(5, 40)]
    world = World(10, TWO, TWO, *looks, config=config("ecs.desired_count=2", "ecs.cpu=1"))
    assert [one.tasks for one in world.driven.of(TasksStopped)][:1] == [("new0",)]
    [said] = world.driven.of(CertainFailure)
    assert "it will fail: the same 3 times" in said.doom.sentence and not said.stops
    outcome = world.driven.result
    assert outcome.kind == "failed" and "container `web` exited 3" in outcome.reason
    assert any("opsctl ecs scale 2" in one.text for one in world.driven.of(Notice))


def test_a_new_task_that_serves_means_that_the_others_may_come() -> None:
    serves = Task(
        "new9", "RUNNING", OLD, "d1", "arn:i", containers=(Container("web", ports=(80,)),)
    )
    looks = [crashing(4, 20, serves), crashing(4, 400, serves)]
    world = World(4, TWO, TWO, *looks)
    assert world.driven.of(CertainFailure) == []
    assert world.driven.result.kind == "timed-out"


def test_an_earlier_task_that_ended_is_none_of_the_new_ones() -> None:
    before = replace(TWO, tasks=crashing(3, 0).tasks)
    world = World(3, before, before, crashing(3, 10), of(3, 3, "healthy " * 3, 20))
    assert world.driven.of(TasksStopped) == [] and world.driven.result.kind == "done"
