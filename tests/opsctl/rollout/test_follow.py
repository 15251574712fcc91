from collections.abc import Sequence
from dataclasses import replace

import pytest

from opsctl.rollout import follow
from opsctl.rollout.follow import RolloutEvent, Watch
from opsctl.snapshot.service import Deployment, Message, Observation, Target, Task

OLD, NEW = "td/app:1", "td/app:2"
IMAGES = {OLD: ["repository@sha256:1"], NEW: ["repository@sha256:2"]}
BEFORE = Observation(
    1, 1, 0, (Deployment("d1", "PRIMARY", OLD, 1, 1, 0, 0, "COMPLETED"),), balanced=True
)
DONE = replace(
    BEFORE,
    deployments=(Deployment("d2", "PRIMARY", NEW, 1, 1, 0, 0, "COMPLETED"),),
    targets=(Target("i-1:32768", "healthy"),),
)
STARTING = replace(
    DONE,
    running=2,
    deployments=(
        Deployment("d2", "PRIMARY", NEW, 1, 1, 0, 0, "IN_PROGRESS"),
        Deployment("d1", "ACTIVE", OLD, 1, 1, 0, 0),
    ),
    targets=(Target("i-1:32768", "initial", "Elb.RegistrationInProgress"),),
)


def events(
    *script: Observation, timeout: float = 60, forced: bool = False, said: str = ""
) -> list[RolloutEvent]:
    """What is told while ECS answers `script`, its last answer for ever."""
    answers = list(script)
    clock = 0.0

    def observe() -> Observation:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def images(definition: str) -> Sequence[str]:
        return IMAGES[definition]

    def sleep(seconds: float) -> None:
        nonlocal clock
        clock += seconds

    watch = Watch.start(observe, images, image="repository@sha256:2", forced=forced)
    watch.said = lambda task: said
    return list(follow.follow(watch, sleep=sleep, now=lambda: clock, timeout=timeout))


def kinds(found: list[RolloutEvent]) -> list[str]:
    return [event.kind for event in found]


def test_a_rollout_is_told_from_its_first_target_to_its_outcome() -> None:
    found = events(BEFORE, BEFORE, STARTING, STARTING, DONE)
    assert [event.text for event in found] == [
        "target i-1:32768 is initial (Elb.RegistrationInProgress)",
        "1 of 1 new tasks run, 0 start, 1 old remain, 0 targets healthy",
        "target i-1:32768 is healthy",
        "1 of 1 new tasks run, 0 start, 0 old remain, 1 targets healthy",
        "deployed",
    ]


def test_what_happened_before_is_not_told_again() -> None:
    old = Task("t0", "STOPPED", NEW, "d0", reason="yesterday")
    said = Message("m0", "has reached a steady state.")
    before = replace(BEFORE, stopped=(old,), messages=(said,))
    found = events(before, replace(DONE, stopped=(old,), messages=(said,)))
    assert "stopped" not in kinds(found) and "message" not in kinds(found)


def test_what_failed_before_a_rollout_was_joined_is_news() -> None:
    task = Task("t1", "STOPPED", NEW, "d2", "", "EssentialContainerExited", "", ("`app` exited 1",))
    now = replace(STARTING, stopped=(task,))
    watch = Watch.start(lambda: now, IMAGES.__getitem__, image="repository@sha256:2", joined=True)
    assert "task t1 stopped: `app` exited 1" in [event.text for event in watch.look()]


def test_a_task_that_fails_is_told_once_with_its_exit_code() -> None:
    failed = Task("t1", "STOPPED", NEW, "d2", stop_code="EssentialContainerExited")
    failed = replace(failed, reason="Essential container in task exited", exits=("`app` exited 1",))
    again = replace(STARTING, stopped=(failed,))
    found = [event for event in events(BEFORE, again, again, DONE) if event.kind == "stopped"]
    assert [event.text for event in found] == ["task t1 stopped: `app` exited 1"]
    assert found[0].bad


def test_an_old_task_that_stops_is_no_news() -> None:
    gone = replace(STARTING, stopped=(Task("t1", "STOPPED", OLD, "d1", reason="Scaling"),))
    assert "stopped" not in kinds(events(BEFORE, gone, DONE))


def test_a_rollback_is_never_called_deployed() -> None:
    back = replace(BEFORE, deployments=(Deployment("d3", "PRIMARY", OLD, 1, 1, 0, 0, "COMPLETED"),))
    assert events(BEFORE, STARTING, back)[-1].text == "rolled-back"


FAILED = Deployment("d2", "ACTIVE", NEW, 0, 0, 0, 3, "FAILED", "tasks failed to start")
BACK = replace(
    BEFORE, deployments=(Deployment("d3", "PRIMARY", OLD, 1, 1, 0, 0, "COMPLETED"), FAILED)
)


def reason(found: list[RolloutEvent]) -> str:
    last = found[-1].outcome
    assert last is not None and last.kind == "rolled-back"
    return last.reason


def test_a_rollback_names_the_task_that_caused_it_and_its_last_line() -> None:
    task = Task("t1", "STOPPED", NEW, "d2", "", "EssentialContainerExited", "", ("`app` exited 3",))
    found = events(BEFORE, STARTING, replace(BACK, stopped=(task,)), said="no such file")
    assert reason(found) == (
        "a task stopped: `app` exited 3, and last said: no such file; tasks failed to start"
    )


def test_a_task_that_never_ran_is_not_asked_for_its_last_line() -> None:
    task = Task("t1", "STOPPED", NEW, "d2", "", "TaskFailedToStart", "", ("`app`: no such image",))
    found = events(BEFORE, STARTING, replace(BACK, stopped=(task,)), said="never")
    assert reason(found) == "a task stopped: `app`: no such image; tasks failed to start"


@pytest.mark.parametrize(
    "seen",
    [
        replace(STARTING, targets=(Target("i:1", "unhealthy", "Target.Timeout", "timed out"),)),
        replace(
            STARTING,
            messages=(Message("m1", "(port 1) is unhealthy in (x) due to (reason timed out)"),),
        ),
    ],
)
def test_failed_health_checks_are_told_by_the_target_or_by_the_event(seen: Observation) -> None:
    task = Task("t1", "STOPPED", NEW, "d2", "", "ServiceSchedulerInitiated")
    task = replace(task, reason="Task failed ELB health checks in (target-group arn)")
    task = replace(task, exits=("`app` exited 143",))
    told = reason(events(BEFORE, seen, replace(BACK, stopped=(task,))))
    assert told.startswith("a task stopped: Task failed ELB health checks: timed out")
    assert "143" not in told


def test_a_target_that_never_becomes_healthy_is_deployed_unhealthy() -> None:
    sick = replace(DONE, targets=(Target("i-1:32768", "unhealthy", "Target.FailedHealthChecks"),))
    last = events(BEFORE, sick)[-1]
    assert last.outcome is not None
    assert last.outcome.kind == "deployed-unhealthy"
    assert "Target.FailedHealthChecks" in last.outcome.reason


def test_a_rollout_that_does_not_end_is_said_to_be_still_running() -> None:
    assert events(BEFORE, STARTING, timeout=30)[-1].text == "timed-out"


def test_a_forced_deployment_of_the_same_revision_is_not_done_before_it_began() -> None:
    same = replace(DONE, deployments=(Deployment("d1", "PRIMARY", NEW, 1, 1, 0, 0, "COMPLETED"),))
    assert events(same, same, same, DONE, forced=True)[-1].text == "deployed"
    assert events(same, timeout=5, forced=True)[-1].text == "timed-out"


def test_the_same_reason_is_told_in_full_only_once() -> None:
    tasks = tuple(
        Task(f"t{number}", "STOPPED", NEW, "d2", reason="no memory") for number in range(3)
    )
    found = events(BEFORE, STARTING, replace(STARTING, stopped=tasks), DONE)
    assert [event.text for event in found if event.kind == "stopped"] == [
        "task t0 stopped: no memory",
        "task t1 stopped likewise",
        "task t2 stopped likewise",
    ]
