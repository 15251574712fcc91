"""What a release means for the live service: the stack's word alone is not believed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from opsctl.errors import OpsError
from opsctl.rollout import plan as planning
from opsctl.rollout.plan import Order, RollPlan
from opsctl.snapshot.instances import ContainerInstance
from opsctl.snapshot.log_groups import LogGroup
from opsctl.snapshot.snapshot import Look, Snapshot, Unread
from opsctl.snapshot.stacks import StackState
from opsctl.snapshot.targets import Target
from opsctl.snapshot.tasks import Container, Task
from tests.opsctl.snapshots import (
    NEW,
    NEW_IMAGE,
    OLD,
    OLD_IMAGE,
    START,
    config,
    deployment,
    service,
    snapshot,
    stack,
)

INSTANCES = tuple(
    ContainerInstance(f"arn:{n}", f"i-{n}", "ACTIVE", True, 3072, 7000, whole_cpu=4096)
    for n in range(2)
)
STEADY = snapshot(deployment("d1", OLD), instances=INSTANCES)
CONFIG = config("ecs.desired_count=2")


def state(**parameters: str) -> StackState:
    values = {"Image": OLD_IMAGE, "DesiredCount": "2", **parameters}
    return stack("ecs", "UPDATE_COMPLETE", parameters=values, outputs={"TaskDefinitionArn": OLD})


def planned(now: Snapshot, image: str = OLD_IMAGE, **more: Any) -> RollPlan:
    return planning.plan(now, state(), Order(image, **more), CONFIG)


def test_another_image_changes_the_stack() -> None:
    plan = planned(STEADY, NEW_IMAGE)
    assert (plan.way, plan.parameters) == ("stack", {"Image": NEW_IMAGE})
    assert plan.forecast is not None and plan.forecast.can_roll


def test_the_first_release_raises_the_count_too() -> None:
    plan = planning.plan(STEADY, state(DesiredCount="0"), Order(NEW_IMAGE), CONFIG)
    assert plan.parameters == {"Image": NEW_IMAGE, "DesiredCount": "2"}


def test_the_same_image_whole_and_healthy_is_nothing_to_roll() -> None:
    plan = planned(STEADY)
    assert plan.way == "nothing" and plan.forecast is None


@pytest.mark.parametrize(
    "now",
    [
        snapshot(deployment("d1", OLD, running=1)),
        snapshot(deployment("d1", OLD), states="healthy initial"),
        snapshot(deployment("d1", OLD), states="healthy"),
        snapshot(deployment("d1", OLD, state="IN_PROGRESS")),
    ],
)
def test_the_same_image_that_is_not_healthy_yet_is_followed(now: Snapshot) -> None:
    assert planned(now).way == "follow"


def test_a_count_of_0_by_hand_is_not_taken_for_a_service_that_runs() -> None:
    # A3: `update_service(desiredCount=0)`, then the same image: "nothing to roll", it said.
    zero = snapshot(service=service(deployment("d1", OLD, desired=0, running=0), desired=0))
    plan = planned(replace(zero, targets=()))
    assert plan.way == "deployment"
    assert plan.repairs == ("the service is set to 0 tasks by hand; its stack asks for 2",)


def test_a_count_of_0_by_hand_that_ecs_up_took_over_is_repaired_as_well() -> None:
    # `ecs up` keeps a count set by hand; then `update-tasks` called 0 tasks a successful release.
    zero = snapshot(service=service(deployment("d1", OLD, desired=0, running=0), desired=0))
    taken_over = replace(
        state(),
        parameters={**state().parameters, "DesiredCount": "0"},
        outputs={**state().outputs, "ConfiguredCount": "2"},
    )
    plan = planning.plan(replace(zero, targets=()), taken_over, Order(OLD_IMAGE), CONFIG)
    assert (plan.way, plan.parameters["DesiredCount"]) == ("stack", "2")
    assert plan.repairs == ("the service is set to 0 tasks by hand; its stack asks for 2",)


def test_a_task_definition_set_outside_of_the_stack_is_reported_and_replaced() -> None:
    plan = planned(snapshot(deployment("d9", NEW)))
    assert plan.way == "deployment"
    assert "the service runs web:2, not web:1 of its stack" in plan.repairs[0]


def test_force_is_a_new_deployment_of_the_same() -> None:
    plan = planned(STEADY, force=True)
    assert (plan.way, plan.repairs) == ("deployment", ())


def test_a_count_by_hand_survives_a_release() -> None:
    # A template's count is set at every update of the service: containers-roadmap#493.
    twelve = snapshot(service=service(deployment("d1", OLD, desired=12, running=12), desired=12))
    plan = planned(replace(twelve, instances=INSTANCES), NEW_IMAGE)
    assert plan.parameters == {"Image": NEW_IMAGE, "DesiredCount": "12"}
    assert plan.findings == ("2 tasks are configured; 12 were set by hand and stay",)


def by_hand(count: int, id: str = "d1") -> Snapshot:
    """The steady service, with another count than its stack's."""
    primary = deployment(id, OLD, desired=count, running=count)
    targets = " ".join(["healthy"] * count)
    now = snapshot(service=service(primary, desired=count), states=targets)
    return replace(now, instances=INSTANCES)


@pytest.mark.parametrize("image", [OLD_IMAGE, NEW_IMAGE])
def test_a_count_by_hand_survives_a_release_that_reverts_the_task_definition(image: str) -> None:
    # `ecspresso deploy` and `scale` by a colleague; then `update-tasks` took away the third task,
    # and said neither that nor anything else of the count.
    changed = deployment("d9", NEW, desired=3, running=3)
    now = snapshot(service=service(changed, desired=3), states="healthy healthy healthy")
    plan = planned(replace(now, instances=INSTANCES), image)
    assert "the service runs web:2, not web:1 of its stack" in plan.repairs[0]
    assert (plan.need.desired, plan.tasks) == (3, 3)
    assert plan.findings == ("2 tasks are configured; 3 were set by hand and stay",)
    assert plan.parameters == ({} if image == OLD_IMAGE else {"Image": image, "DesiredCount": "3"})


def test_a_count_by_hand_is_no_reason_to_touch_the_stack() -> None:
    assert planned(by_hand(3)).way == "nothing"


@pytest.mark.parametrize("reason", ["force", "renew"])
def test_new_tasks_are_started_although_a_count_was_set_by_hand(reason: str) -> None:
    # The stack's count alone was changed, no task was replaced, and that was "deployed".
    order = Order(OLD_IMAGE, force=reason == "force", renew=reason == "renew")
    plan = planning.plan(by_hand(3), state(), order, CONFIG)
    assert (plan.way, plan.parameters, plan.need.desired) == ("deployment", {}, 3)


def test_new_tasks_are_started_after_a_count_that_the_config_changed() -> None:
    order = Order(OLD_IMAGE, force=True)
    plan = planning.plan(STEADY, state(), order, config("ecs.desired_count=3"))
    assert (plan.way, plan.parameters, plan.anew) == ("stack", {"DesiredCount": "3"}, True)


def test_before_the_first_release_there_is_no_service() -> None:
    unreleased = state(Image="unreleased")
    plan = planning.plan(snapshot(instances=INSTANCES), unreleased, Order(NEW_IMAGE), CONFIG)
    assert (plan.way, plan.parameters) == ("stack", {"Image": NEW_IMAGE})
    assert (plan.need.task.cpu, plan.need.desired) == (512, 2)


def test_a_deleted_service_is_reported_with_the_command_that_makes_it() -> None:
    with pytest.raises(OpsError, match="no service `web` in `web`") as caught:
        planned(snapshot())
    assert caught.value.hint == "opsctl ecs up --revert-drift"


@pytest.mark.parametrize("key", ["ecs.service_name", "ecs.cluster_name"])
def test_a_roll_never_replaces_a_service_that_has_another_name_in_the_config(key: str) -> None:
    with pytest.raises(OpsError, match="it is still `web` in `web`") as caught:
        planning.plan(STEADY, state(), Order(NEW_IMAGE), config(f"{key}=other"))
    assert caught.value.hint == "opsctl ecs up"


@pytest.mark.parametrize(
    ("parts", "cause"),
    [
        ({"targets": (Target("i-1:80", "unused", "Target.NotInUse"),)}, "listener-gone"),
        (
            {"unread": (Unread("targets", "no", None, "Describe", "TargetGroupNotFound"),)},
            "target-group-gone",
        ),
        ({"service": service(deployment("d1", OLD), balanced=False)}, "service-unbalanced"),
    ],
)
def test_nothing_is_rolled_behind_a_load_balancer_that_leads_to_no_task(
    parts: Any, cause: str
) -> None:
    balanced = replace(state(), outputs={"TargetGroupArn": "tg"})
    with pytest.raises(OpsError) as caught:
        planning.require_balanced(replace(STEADY, stacks={"ecs": balanced}, **parts))
    assert caught.value.cause == cause
    assert (caught.value.hint or "").endswith(": opsctl ecs up --revert-drift")


def test_targets_of_stopped_instances_are_not_called_a_missing_listener() -> None:
    stopped = Target("i-1:80", "unused", "Target.InvalidState")
    planning.require_balanced(replace(STEADY, targets=(stopped,)))


def test_a_deregistered_task_definition_is_used_for_nothing_new() -> None:
    # UpdateService refuses one: `restart` ended in "AWS refused UpdateService", and `ecs up` of
    # anything that the service has was rolled back.
    gone = replace(STEADY, deregistered="web:1")
    for plan in (planned(gone, force=True), planned(replace(gone, service=by_hand(0).service))):
        with pytest.raises(OpsError, match="somebody deregistered the task definition web:1") as e:
            planning.require_startable(gone, plan)
        assert (e.value.hint, e.value.cause) == (
            "to make it anew: opsctl ecs up",
            "task-definition-deregistered",
        )


def test_a_new_image_makes_a_deregistered_task_definition_anew_and_says_what_it_risks() -> None:
    gone = replace(STEADY, deregistered="web:1")
    plan = planned(gone, NEW_IMAGE)
    planning.require_startable(gone, plan)
    assert "no release that fails can go back to it; to make it anew" in plan.findings[0]
    planning.require_startable(gone, planned(gone))


def test_a_task_that_somebody_deregistered_from_the_load_balancer_is_not_followed_for_ever() -> (
    None
):
    # "following it until it is healthy", for the whole timeout: ECS registers only what it starts.
    running = Task(
        "t1",
        "RUNNING",
        OLD,
        "d1",
        started=START,
        instance="arn:0",
        containers=(Container("web", ports=(32768,)),),
    )
    there = (Target("i-0:32768", "healthy"),)
    look = Look(frozenset({"service", "tasks", "targets", "instances"}))
    now = replace(STEADY, tasks=(running,), at=START + timedelta(minutes=5), look=look)
    planning.require_targets(replace(now, targets=there))
    with pytest.raises(OpsError, match="not registered with the load balancer") as caught:
        planning.require_targets(replace(now, targets=()))
    assert (caught.value.hint or "").endswith("opsctl ecs restart")


def test_nothing_is_rolled_while_a_log_group_of_the_tasks_is_missing() -> None:
    # `restart` replaced tasks that exited again and again, because somebody had deleted /web/app.
    names = replace(STEADY.names, log_groups={"app": "/web/app"})
    gone = replace(STEADY, names=names, log_groups=(LogGroup("/web/app", False),))
    planning.require_startable(gone, planned(gone))
    for plan in (planned(gone, force=True), planned(gone, NEW_IMAGE)):
        with pytest.raises(OpsError, match="the log group /web/app does not exist") as caught:
            planning.require_startable(gone, plan)
        assert (caught.value.hint or "").endswith("opsctl ecs up --revert-drift")


def test_a_restart_does_not_roll_otherwise_than_the_stack_asks_for() -> None:
    wanted = "100 to 200 percent of the tasks, no breaker"
    own = replace(state(), outputs={**state().outputs, "ConfiguredDeployment": wanted})
    now = replace(STEADY, stacks={"ecs": own})
    assert now.service is not None
    planning.require_startable(now, planned(now, force=True))
    changed = replace(now, service=replace(now.service, minimum_percent=0))
    # A change of the stack sends its own settings.
    planning.require_startable(changed, planned(changed, NEW_IMAGE))
    with pytest.raises(OpsError, match="keeps 0 to 200 percent of the tasks") as caught:
        planning.require_startable(changed, planned(changed, force=True))
    assert caught.value.cause == "deployment-settings-changed"
