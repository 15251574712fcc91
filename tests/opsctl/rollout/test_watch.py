from dataclasses import replace
from datetime import timedelta

import pytest

from opsctl.procedure import follow
from opsctl.rollout.verdict import Goal
from opsctl.rollout.watch import Counts, ServiceSaid, TargetChanged, TasksStopped, Watch, news
from opsctl.snapshot.service import ServiceEvent
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.targets import Target
from opsctl.snapshot.tasks import Container, Task
from tests.opsctl.snapshots import (
    NEW,
    NEW_IMAGE,
    OLD,
    OLD_IMAGE,
    START,
    Driven,
    deployment,
    service,
    snapshot,
)

BEFORE = snapshot(deployment("d1", OLD))
DONE = snapshot(deployment("d2", NEW))
STARTING = snapshot(
    deployment("d2", NEW, running=1, pending=1, state="IN_PROGRESS"),
    deployment("d1", OLD, primary=False),
    targets=(Target("i-1:32768", "initial", "Elb.RegistrationInProgress"),),
)
BACK = snapshot(
    deployment("d3", OLD),
    deployment(
        "d2", NEW, primary=False, running=0, failed=3, state="FAILED", reason="failed to start"
    ),
)
EVENTS = (Counts, ServiceSaid, TargetChanged, TasksStopped)


def watched(*script: Snapshot, timeout: float = 60, forced: bool = False) -> tuple[Driven, Watch]:
    """The first snapshot is the one before the change; a second passes between two others."""
    first, *others = script
    timed = [
        replace(now, at=START + timedelta(seconds=number)) for number, now in enumerate(others)
    ]
    timed += [replace(others[-1], at=START + timedelta(seconds=number)) for number in range(3, 99)]
    goal = Goal.from_now(NEW_IMAGE, first, forced=forced)
    watch = Watch(goal, first, START + timedelta(seconds=timeout))
    driven = Driven(follow(watch, subject="the tasks are being rolled"), timed)
    return driven, driven.result


def texts(driven: Driven) -> list[str]:
    return [item.text for item in driven.items if isinstance(item, EVENTS)]


def failing(id: str = "t1", **more: object) -> Task:
    task = Task(
        id,
        "STOPPED",
        NEW,
        "d2",
        stop_code="EssentialContainerExited",
        reason="Essential container in task exited",
        containers=(Container("app", 1),),
    )
    return replace(task, **more)  # type: ignore[arg-type]  # fields of a task


def test_a_rollout_is_reported_from_its_first_target_to_its_outcome() -> None:
    driven, watch = watched(BEFORE, BEFORE, STARTING, STARTING, DONE)
    assert texts(driven) == [
        "target i-1:32768 is initial (Elb.RegistrationInProgress)",
        "1 of 2 new tasks run, 1 start, 2 old remain, 0 targets healthy",
        "target i-0:80 is healthy",
        "target i-1:80 is healthy",
        "2 of 2 new tasks run, 0 start, 0 old remain, 2 targets healthy",
    ]
    assert watch.outcome is not None and watch.outcome.kind == "deployed"


def test_what_happened_before_is_not_reported_again() -> None:
    old = Task("t0", "STOPPED", NEW, "d0", reason="yesterday")
    said = ServiceEvent("m0", "has reached a steady state.")

    def with_message(now: Snapshot) -> Snapshot:
        assert now.service is not None
        return replace(now, service=replace(now.service, events=(said,)), tasks=(old,))

    driven, _ = watched(with_message(BEFORE), with_message(DONE))
    assert not driven.of(TasksStopped) and not driven.of(ServiceSaid)


def test_a_task_that_failed_before_is_not_why_this_roll_was_rolled_back() -> None:
    # ECS lists stopped tasks for an hour, also those of a deployment that it has forgotten.
    earlier = failing("t0", deployment="d0")
    before, back = (replace(now, tasks=(earlier,)) for now in (BEFORE, BACK))
    assert reason(before, back) == "failed to start"


def test_a_task_that_fails_is_reported_once_with_its_exit_code() -> None:
    again = replace(STARTING, tasks=(failing(),))
    driven, _ = watched(BEFORE, again, again, DONE)
    [stopped] = driven.of(TasksStopped)
    assert stopped == TasksStopped(("t1",), "`app` exited 1", 1, failed=True)
    assert stopped.text == "task t1 stopped: `app` exited 1"


def test_an_old_task_that_stops_is_not_reported() -> None:
    gone = Task("t1", "STOPPED", OLD, "d1", reason="Scaling activity")
    driven, _ = watched(BEFORE, replace(STARTING, tasks=(gone,)), DONE)
    assert not driven.of(TasksStopped)


def test_each_reason_is_reported_with_its_count() -> None:
    scaled = Task("t9", "STOPPED", NEW, "d2", reason="Scaling activity")
    tasks = (failing("t1"), failing("t2"), failing("t3"), scaled)
    driven, _ = watched(BEFORE, STARTING, replace(STARTING, tasks=tasks), DONE)
    assert [event.text for event in driven.of(TasksStopped)] == [
        "3 tasks stopped: `app` exited 1",
        "task t9 stopped: Scaling activity",
    ]


def test_a_task_of_a_deployment_that_was_never_seen_is_still_reported() -> None:
    _, watch = watched(BEFORE, replace(BACK, tasks=(failing(),)))
    assert watch.failed is not None and watch.failed.id == "t1"


def test_a_rollback_is_never_called_deployed() -> None:
    _, watch = watched(BEFORE, STARTING, BACK)
    assert watch.outcome is not None
    assert (watch.outcome.kind, watch.outcome.reason) == ("rolled-back", "failed to start")


def test_a_quick_rollback_of_a_forced_deployment_is_not_called_superseded() -> None:
    ours, back = snapshot(deployment("d2", OLD)), snapshot(deployment("d3", OLD))
    assert back.service is not None and ours.service is not None
    said = ServiceEvent("e1", "(service web) rolling back to deployment d3.")
    rolled = replace(back, service=replace(back.service, events=(said,)))
    watch = Watch(Goal.from_now(OLD_IMAGE, BEFORE, forced=True), BEFORE, START)
    after = {}
    for name, now in (("rolled-back", rolled), ("superseded", back)):
        seen, _ = watch.see(ours)
        outcome = seen.see(now)[0].outcome
        after[name] = outcome.kind if outcome else ""
    assert all(name == kind for name, kind in after.items())


def reason(*script: Snapshot) -> str:
    _, watch = watched(*script)
    assert watch.outcome is not None and watch.outcome.kind == "rolled-back"
    return watch.outcome.reason


def test_a_rollback_names_the_task_that_caused_it_and_its_last_line() -> None:
    now = replace(BACK, tasks=(failing(),), lines={"t1": ("starting", "no such file")})
    assert reason(BEFORE, STARTING, now) == (
        "a task stopped: `app` exited 1, and last said: no such file"
    )


def test_the_last_line_is_that_of_any_failed_task_that_wrote_one() -> None:
    now = replace(BACK, tasks=(failing("t1"), failing("t2")), lines={"t2": ("no such file",)})
    assert reason(BEFORE, STARTING, now).endswith("and last said: no such file")


def test_a_task_that_never_ran_has_no_last_line() -> None:
    task = failing(
        stop_code="TaskFailedToStart", containers=(Container("app", None, "no such image"),)
    )
    now = replace(BACK, tasks=(task,))
    assert reason(BEFORE, STARTING, now) == "a task stopped: `app`: no such image"


@pytest.mark.parametrize(
    "seen",
    [
        replace(STARTING, targets=(Target("i:1", "unhealthy", "Target.Timeout", "timed out"),)),
        replace(
            STARTING,
            service=replace(
                service(deployment("d2", NEW, running=1)),
                events=(ServiceEvent("m1", "x is unhealthy in (y) due to (reason timed out)"),),
            ),
        ),
    ],
)
def test_failed_health_checks_are_explained_by_the_target_or_by_the_event(seen: Snapshot) -> None:
    task = failing(
        stop_code="ServiceSchedulerInitiated",
        reason="Task failed ELB health checks in (target-group arn)",
        containers=(Container("app", 143),),
    )
    why = reason(BEFORE, seen, replace(BACK, tasks=(task,)))
    assert why.startswith("a task stopped: Task failed ELB health checks: timed out")
    assert "143" not in why


def test_a_target_that_never_becomes_healthy_is_deployed_unhealthy() -> None:
    sick = replace(DONE, targets=(Target("i-1:32768", "unhealthy", "Target.FailedHealthChecks"),))
    _, watch = watched(BEFORE, sick, timeout=30)
    assert watch.outcome is not None and watch.outcome.kind == "deployed-unhealthy"
    assert "Target.FailedHealthChecks" in watch.outcome.reason


def test_a_rollout_that_does_not_end_is_said_to_be_still_running() -> None:
    _, watch = watched(BEFORE, STARTING, timeout=30)
    assert watch.outcome is not None and watch.outcome.kind == "timed-out"


def test_a_forced_deployment_of_the_same_revision_is_not_done_before_it_began() -> None:
    same = snapshot(deployment("d1", NEW))
    _, done = watched(same, same, same, DONE, forced=True)
    _, never = watched(same, same, timeout=5, forced=True)
    assert done.outcome is not None and done.outcome.kind == "deployed"
    assert never.outcome is not None and never.outcome.kind == "timed-out"


def test_news_come_from_two_snapshots_alone() -> None:
    goal = Goal.from_now(NEW_IMAGE, BEFORE).seen(STARTING)
    assert list(news(STARTING, STARTING, goal)) == []
    assert {type(event) for event in news(BEFORE, STARTING, goal)} == {Counts, TargetChanged}
