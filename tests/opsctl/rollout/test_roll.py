"""A roll from the plan to the proof, driven by snapshots: no sandbox, no time."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from opsctl.config.model import Config
from opsctl.errors import Busy, OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Cancel, Notice, Waiting
from opsctl.rollout import roll
from opsctl.rollout.plan import Order, RollPlan, Strategy
from opsctl.rollout.watch import TasksStopped, Wave
from opsctl.snapshot.instances import Activity, Group, GroupInstance
from opsctl.snapshot.snapshot import Look, Snapshot, Unread
from opsctl.snapshot.tasks import Container, Task
from opsctl.stacks.changes import Plan
from opsctl.stacks.operation import Operation, RollBegun
from tests.opsctl.rollout.test_plan import CONFIG, INSTANCES, STEADY, by_hand, state
from tests.opsctl.snapshots import (
    NEW,
    NEW_IMAGE,
    OLD,
    OLD_IMAGE,
    START,
    Driven,
    config,
    deployment,
    event,
    snapshot,
    stack,
)
from tests.opsctl.stacks.fake import Clients, CloudFormation

ROLLING = snapshot(
    deployment("d2", NEW, running=1, pending=1, state="IN_PROGRESS"),
    deployment("d1", OLD, primary=False),
    states="healthy healthy initial",
)
DONE = snapshot(deployment("d2", NEW))
FAILED = snapshot(
    deployment("d1", OLD),
    tasks=(
        Task(
            "t1",
            "STOPPED",
            NEW,
            "d2",
            stop_code="EssentialContainerExited",
            containers=(Container("web", 3),),
        ),
    ),
    lines={"t1": ("no such file",)},
)
ENDED = event("e1", "UPDATE_COMPLETE")
BACK = event("e1", "UPDATE_ROLLBACK_COMPLETE")


class Ecs:
    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.stopped: list[str] = []

    def update_service(self, **parameters: Any) -> None:
        self.updates.append(parameters)

    def stop_task(self, *, task: str, **_: str) -> None:
        self.stopped.append(task)


class Stacks(CloudFormation):
    """Its changes are of the types that they name."""

    def __init__(self, *, changes: tuple[str, ...] = ("ECS::TaskDefinition", "ECS::Service")):
        super().__init__(changes=changes)

    def describe_change_set(self, **parameters: Any) -> Any:
        described = super().describe_change_set(**parameters)
        for change in described.get("Changes", ()):
            kind = change["ResourceChange"]["ResourceType"]
            change["ResourceChange"]["ResourceType"] = kind.replace("AWS::X::", "AWS::")
        return described


class World:
    """One roll against fakes: what it did to AWS, what it said, how it ended."""

    def __init__(
        self,
        *snapshots: Snapshot,
        image: str = NEW_IMAGE,
        answers: tuple[bool, ...] = (True,),
        changes: tuple[str, ...] = ("ECS::TaskDefinition", "ECS::Service"),
        dry: bool = False,
        config: Config = CONFIG,
        **order: Any,
    ) -> None:
        self.aws, self.ecs = Stacks(changes=changes), Ecs()
        clients = cast(Any, Clients(self.aws, ecs=self.ecs))
        made = Order(image, **order)

        def procedure() -> Any:
            plan = yield from roll.look(config, state(), made)
            if dry:
                return (yield from roll.preview(clients, state(), plan))
            return (
                yield from roll.roll(clients, config, state(), plan, made, sleep=lambda _: None)
            )

        self.driven = Driven(procedure(), snapshots, answers)
        self.outcome: Outcome = self.driven.result


def at(now: Snapshot, seconds: float, *events: Any) -> Snapshot:
    return replace(now, at=START + timedelta(seconds=seconds), events=events)


def test_a_release_changes_the_stack_follows_the_tasks_and_is_proved() -> None:
    world = World(STEADY, STEADY, at(ROLLING, 1), at(DONE, 2, ENDED), at(DONE, 3), at(DONE, 4))
    assert world.outcome == Outcome("deployed")
    assert len(world.aws.executed) == 1
    [_, plan] = [*world.driven.of(RollPlan), *world.driven.of(Plan)]
    assert [change.resource_type for change in plan.changes] == [
        "AWS::ECS::TaskDefinition",
        "AWS::ECS::Service",
    ]


def test_one_snapshot_holds_the_stack_and_its_tasks() -> None:
    world = World(STEADY, STEADY, at(ROLLING, 1), at(DONE, 2, ENDED), at(DONE, 3))
    together = [look for look in world.driven.looks if "events" in look.parts]
    assert together and all({"service", "tasks", "targets"} <= look.parts for look in together)


def test_after_a_no_nothing_was_rolled() -> None:
    world = World(STEADY, answers=(False,))
    assert world.outcome.kind == "cancelled"
    assert world.aws.executed == [] and world.aws.change_sets == {}


def test_a_rollback_is_reported_with_the_reason_of_its_first_failed_task() -> None:
    world = World(STEADY, STEADY, at(FAILED, 1, BACK), at(FAILED, 2))
    assert world.outcome.kind == "rolled-back"
    assert world.outcome.reason == ("a task stopped: `web` exited 3, and last said: no such file")
    assert world.outcome.hint == "opsctl logs tail --since 15m"


def test_a_rollback_that_ended_between_two_snapshots_is_still_explained() -> None:
    nothing_seen = snapshot(deployment("d1", OLD))
    world = World(STEADY, STEADY, at(nothing_seen, 1, BACK), at(nothing_seen, 2), at(FAILED, 3))
    assert "`web` exited 3" in world.outcome.reason
    assert world.driven.of(TasksStopped)


def test_a_stack_that_ends_badly_is_a_failure_with_the_tasks_reason() -> None:
    stuck = event("e1", "UPDATE_ROLLBACK_FAILED", "stuck")
    world = World(STEADY, STEADY, at(FAILED, 1, stuck), at(FAILED, 2))
    assert world.outcome.kind == "failed" and "`web` exited 3" in world.outcome.reason


def test_the_timeout_bounds_the_wait_inside_cloudformation_too() -> None:
    # A9: with the breaker off, crashing tasks were followed for an hour of AWS.
    world = World(STEADY, STEADY, at(ROLLING, 1), at(ROLLING, 6), timeout=timedelta(seconds=5))
    assert world.outcome.kind == "timed-out"
    assert "`web-ecs` is still being changed" in world.outcome.reason


def test_a_change_to_more_than_the_tasks_is_refused_before_the_question() -> None:
    with pytest.raises(OpsError, match="would change more than the tasks: AutoScalingGroup"):
        World(STEADY, changes=("ECS::Service", "AutoScalingGroup"))


def test_the_first_release_of_a_scaled_service_makes_its_scaling_too() -> None:
    scaling = "ApplicationAutoScaling::"
    kinds = ("ECS::Service", f"{scaling}ScalableTarget", f"{scaling}ScalingPolicy")
    [plan] = World(STEADY, changes=kinds, dry=True).driven.of(Plan)
    assert [one.resource_type.removeprefix("AWS::") for one in plan.changes] == list(kinds)


def test_a_dry_run_shows_the_plan_and_executes_nothing() -> None:
    world = World(STEADY, dry=True)
    assert world.aws.executed == [] and world.aws.change_sets == {}
    assert len(world.driven.of(Plan)) == 1 and world.driven.questions == []


def test_without_room_nothing_is_asked() -> None:
    full = replace(STEADY, instances=tuple(replace(one, cpu=0) for one in INSTANCES))
    with pytest.raises(OpsError, match=r"not one task fits \(not enough cpu\)"):
        World(full)


def test_without_an_instance_that_takes_tasks_that_is_the_reason() -> None:
    gone = tuple(replace(one, connected=False) for one in INSTANCES)
    silent = replace(STEADY, instances=gone)
    with pytest.raises(OpsError, match="2 are registered, none of them ACTIVE"):
        World(silent, at(silent, 8), at(silent, 16))
    with pytest.raises(OpsError, match="none has joined the cluster"):
        World(replace(STEADY, instances=()))


@pytest.mark.parametrize(
    ("group", "cause", "hint"),
    [
        (Group("asg", desired=0), "no-instance", "opsctl ecs up --revert-drift"),
        (Group("asg", desired=2, suspended=("Launch",)), "asg-cannot-launch", "resume-processes"),
        (Group("asg", desired=2, activities=(Activity("a", "Failed", "Launching", "The key pair "
         "'ops' does not exist.", START),)), "asg-cannot-launch", "compute.key_pair"),
    ],
)  # fmt: skip
def test_without_any_instance_the_group_is_asked_why(group: Group, cause: str, hint: str) -> None:
    empty = replace(STEADY, instances=())
    fleet = Look(frozenset({"group", "instances", "service", "stacks"}), ("ecs",))
    stacks: Any = {"ecs": replace(state(), status="UPDATE_COMPLETE")}
    with pytest.raises(OpsError, match="cannot start: no instance takes tasks: ") as raised:
        World(empty, replace(empty, group=group, look=fleet, stacks=stacks))
    assert raised.value.cause == cause and hint in (raised.value.hint or "")


def test_a_group_that_somebody_made_smaller_is_why_not_every_task_fits() -> None:
    full = replace(STEADY, instances=tuple(replace(one, cpu=0) for one in INSTANCES))
    smaller = Group("asg", 0, 3, 1, instances=(GroupInstance("i-1"),))
    fleet = Look(frozenset({"group", "instances", "service", "stacks"}), ("ecs",))
    made = {"ConfiguredInstances": "2 instances (0 to 3)"}
    stacks: Any = {"ecs": replace(state(), status="UPDATE_COMPLETE", outputs=made)}
    with pytest.raises(OpsError, match="cannot start: `asg` has 1 instance ") as raised:
        World(full, replace(full, group=smaller, look=fleet, stacks=stacks, targets=()))
    assert raised.value.cause == "group-resized"
    assert raised.value.hint == "to set it back: opsctl ecs up --revert-drift"


def test_a_forced_deployment_is_followed_until_the_new_one_is_healthy() -> None:
    again = snapshot(deployment("d9", OLD))
    world = World(STEADY, STEADY, at(STEADY, 1), at(again, 2), image=OLD_IMAGE, force=True)
    assert world.outcome.kind == "deployed"
    [update] = world.ecs.updates
    assert update["forceNewDeployment"] and update["taskDefinition"] == OLD
    assert update["desiredCount"] == 2


def test_an_answer_given_after_another_release_does_not_revert_it() -> None:
    # The answer came minutes later, and the forced deployment named the old task definition.
    parameters = {"Image": NEW_IMAGE, "DesiredCount": "2"}
    theirs = stack("ecs", "UPDATE_COMPLETE", parameters=parameters)
    overtaken = replace(DONE, stacks={"ecs": theirs})
    with pytest.raises(Busy, match="somebody else is changing `web-ecs`"):
        World(STEADY, overtaken, image=OLD_IMAGE, force=True)


@pytest.mark.parametrize("image", [NEW_IMAGE, OLD_IMAGE])
def test_a_count_that_somebody_sets_before_the_answer_is_kept(image: str) -> None:
    seven = by_hand(7)
    with pytest.raises(Busy, match="somebody set the service to 7 tasks instead of 2"):
        World(STEADY, seven, image=image, force=image == OLD_IMAGE)


def test_a_forced_deployment_leaves_the_count_to_a_service_that_scales() -> None:
    again = snapshot(deployment("d9", OLD))
    scaled = config("ecs.scaling.minimum=2", "ecs.scaling.maximum=9", "ecs.scaling.cpu_percent=60")
    script = (STEADY, STEADY, at(STEADY, 1), at(again, 2))
    world = World(*script, image=OLD_IMAGE, force=True, config=scaled)
    assert "desiredCount" not in world.ecs.updates[0]


def test_a_count_of_the_config_and_new_tasks_are_two_steps() -> None:
    three = at(by_hand(3), 1, ENDED)
    again = at(by_hand(3, "d9"), 2)
    configured = config("ecs.desired_count=3")
    script = (STEADY, STEADY, three, three, three, three, again)
    world = World(*script, image=OLD_IMAGE, force=True, config=configured)
    assert world.outcome.kind == "deployed" and len(world.driven.questions) == 1
    assert len(world.aws.executed) == 1 and len(world.ecs.updates) == 1


def test_a_roll_that_is_under_way_is_followed_without_a_question() -> None:
    slow = snapshot(deployment("d1", OLD), states="healthy initial", instances=INSTANCES)
    world = World(slow, slow, at(slow, 1), at(STEADY, 2), image=OLD_IMAGE, answers=())
    assert world.outcome.kind == "deployed" and world.ecs.updates == []


def test_the_same_release_is_no_work() -> None:
    world = World(STEADY, image=OLD_IMAGE, answers=())
    assert world.outcome.kind == "no-changes" and world.aws.calls == []


def test_stopping_old_tasks_in_waves_makes_room_for_the_new_deployment() -> None:
    tasks = tuple(Task(f"t{n}", "RUNNING", OLD, "d1") for n in range(2)) + tuple(
        Task(f"n{n}", "RUNNING", NEW, "d2") for n in range(2)
    )
    ready = replace(
        ROLLING, tasks=tasks, targets=snapshot(states="healthy healthy healthy healthy").targets
    )
    world = World(
        STEADY,
        STEADY,
        at(ready, 1),
        at(DONE, 2, ENDED),
        at(DONE, 3),
        strategy=Strategy.STOP,
    )
    assert world.ecs.stopped == ["t0", "t1"] and len(world.driven.of(Wave)) == 1


def test_an_operation_that_somebody_else_began_first_is_left_to_the_caller() -> None:
    aws = CloudFormation(changes=())
    aws.fails["CreateChangeSet"] = _busy()
    clients = cast(Any, Clients(aws))
    plan = Driven(roll.look(CONFIG, state(), Order(NEW_IMAGE)), [STEADY]).result
    procedure = roll.roll(clients, CONFIG, state(), plan, Order(NEW_IMAGE))
    with pytest.raises(Busy):
        Driven(procedure, [STEADY])


def _busy() -> Exception:
    from tests.opsctl.stacks.fake import refusal

    message = "Stack [x] is in UPDATE_IN_PROGRESS state and can not be updated"
    return refusal("CreateChangeSet", "ValidationError", message)


RUNNING = stack("ecs", "UPDATE_IN_PROGRESS", parameters={"Image": NEW_IMAGE})


def joined(*snapshots: Snapshot) -> Driven:
    return Driven(roll.join(cast(Any, Clients(CloudFormation())), RUNNING), snapshots)


def test_somebodys_roll_is_followed_with_its_tasks() -> None:
    driven = joined(at(ROLLING, 0), at(DONE, 1, ENDED))
    assert driven.result == Outcome("done")
    assert all("service" in look.parts for look in driven.looks)


def test_what_failed_before_a_roll_was_joined_is_news() -> None:
    failing = replace(ROLLING, tasks=FAILED.tasks, lines=FAILED.lines)
    driven = joined(at(failing, 0), at(failing, 1), at(FAILED, 2, BACK), at(FAILED, 3))
    assert [stopped.tasks for stopped in driven.of(TasksStopped)] == [("t1",)]
    assert driven.result.kind == "rolled-back" and "`web` exited 3" in driven.result.reason


def test_a_roll_can_be_cancelled_while_cloudformation_waits() -> None:
    aws = CloudFormation(changes=())
    procedure = roll.join(cast(Any, Clients(aws)), RUNNING)
    next(procedure)
    waiting = procedure.send(at(ROLLING, 0))
    assert isinstance(waiting, Waiting) and waiting.cancellable
    assert "web-ecs" in waiting.subject
    assert isinstance(procedure.throw(Cancel()), Notice) and "CancelUpdateStack" in aws.calls


def test_the_service_is_requested_only_if_there_is_a_listener() -> None:
    world = World(STEADY, STEADY, at(ROLLING, 1), at(DONE, 2, ENDED), at(DONE, 3))
    assert world.driven.looks[-1] == Look(frozenset({"listener"}), ())


WHOLE = Look(frozenset({"service", "tasks", "task_definitions", "targets"}))
SERVING = replace(
    snapshot(deployment("d1", NEW), states="healthy healthy"),
    stacks={"ecs": state(Image=NEW_IMAGE)},
    look=WHOLE,
)


def with_stack(*snapshots: Snapshot) -> Driven:
    """A change of the stack that rolls tasks of the image that runs already."""

    def procedure() -> Any:
        watch = yield from roll.before()
        if watch is None:
            return None
        clients, operation = cast(Any, Clients(CloudFormation())), Operation.of(RUNNING)
        return (yield from roll.with_stack(clients, operation, watch, sleep=lambda _: None))

    return Driven(procedure(), snapshots)


def test_a_change_of_the_stack_that_rolls_tasks_follows_them_and_is_proved() -> None:
    driven = with_stack(SERVING, at(ROLLING, 1), at(DONE, 2, ENDED), at(DONE, 3))
    assert driven.result == Outcome("done")
    assert driven.of(RollBegun) and driven.looks[-1] == Look(frozenset({"listener"}), ())


def test_a_change_that_is_rolled_back_has_the_reason_of_its_tasks() -> None:
    driven = with_stack(SERVING, at(FAILED, 1), at(FAILED, 2, BACK), at(FAILED, 3))
    assert driven.result.kind == "rolled-back" and "`web` exited 3" in driven.result.reason


def test_a_definition_whose_tags_alone_changed_starts_no_task_that_could_be_waited_for() -> None:
    driven = with_stack(SERVING, at(SERVING, 1), at(SERVING, 2, ENDED))
    assert driven.result == Outcome("done")


def test_without_a_service_or_a_look_at_it_the_stack_alone_is_followed() -> None:
    assert with_stack(replace(SERVING, service=None)).result is None
    assert with_stack(replace(SERVING, unread=(Unread("targets", "AccessDenied"),))).result is None
