from dataclasses import replace

import pytest

from opsctl.outcome import Outcome
from opsctl.rollout import verdict
from opsctl.rollout.verdict import Goal
from opsctl.snapshot.service import Deployment
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.targets import Target
from tests.opsctl.snapshots import (
    NEW,
    NEW_IMAGE,
    OLD,
    OTHER,
    deployment,
    service,
    snapshot,
    stack,
)

GOAL = Goal(NEW_IMAGE, before="d1", before_definition=OLD, ours="d2")
DONE = deployment("d2", NEW)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (snapshot(DONE), "deployed"),
        (snapshot(DONE, states="healthy healthy draining"), "deployed"),
        (snapshot(DONE, states="healthy initial"), None),
        (snapshot(DONE, states="healthy healthy unhealthy"), None),
        (snapshot(DONE, states="healthy healthy initial"), None),
        (snapshot(deployment("d2", NEW, pending=1)), None),
        (snapshot(DONE, states=""), None),
        (snapshot(deployment("d2", NEW, running=1)), None),
        (snapshot(deployment("d2", NEW, state="IN_PROGRESS")), None),
        (snapshot(deployment("d2", NEW, state="FAILED")), None),
        (snapshot(DONE, deployment("d1", OLD, primary=False, running=1)), None),
        (snapshot(DONE, deployment("d1", OLD, primary=False, running=0)), "deployed"),
        (snapshot(deployment("d1", OLD)), "rolled-back"),
        (snapshot(deployment("d9", OLD)), "rolled-back"),
        (snapshot(deployment("d3", OTHER)), "superseded"),
        (snapshot(deployment("d3", NEW)), "superseded"),
    ],
)
def test_an_uncertain_outcome_is_none(now: Snapshot, expected: str | None) -> None:
    outcome = verdict.judge(now, GOAL)
    assert (outcome.kind if outcome else None) == expected


@pytest.mark.parametrize(
    ("primary", "words"),
    [
        (deployment("d3", OTHER), "another image is the primary now: web:3 (d3)"),
        (deployment("d3", NEW), "the same image is the primary now: web:2 (d3)"),
        (deployment("d1", OLD), "web:1 is the primary deployment again"),
    ],
)
def test_the_deployment_that_took_over_is_named(primary: Deployment, words: str) -> None:
    outcome = verdict.judge(snapshot(primary), GOAL)
    assert outcome is not None and outcome.reason.endswith(words)


def test_a_service_that_was_set_to_no_task_meanwhile_serves_nothing() -> None:
    emptied = deployment("d2", NEW, desired=0, running=0)
    none = snapshot(emptied, service=service(emptied, desired=0), states="")
    goal = Goal.from_now(NEW_IMAGE, snapshot(deployment("d1", OLD))).seen(none)
    outcome = verdict.judge(none, goal)
    assert outcome is not None and outcome.kind == "deployed-unhealthy"
    assert "nothing serves" in outcome.reason
    # With `desired_count: 0` nobody expects a task.
    asked = verdict.judge(none, replace(goal, desired=0))
    assert asked is not None and asked.kind == "deployed"


@pytest.mark.parametrize(
    ("status", "running", "expected"),
    [
        ("UPDATE_COMPLETE", 2, "deployed-unhealthy"),
        ("UPDATE_COMPLETE", 1, None),
        ("UPDATE_IN_PROGRESS", 2, None),
    ],
)
def test_tasks_to_which_no_listener_leads_are_not_waited_for(
    status: str, running: int, expected: str | None
) -> None:
    # Somebody deleted the load balancer during a roll: the command waited for its whole timeout.
    cut_off = tuple(Target(f"i-{n}:80", "unused", "Target.NotInUse") for n in range(2))
    done = deployment("d2", NEW, running=running)
    outcome = verdict.judge(
        snapshot(done, targets=cut_off, stacks={"ecs": stack("ecs", status)}), GOAL
    )
    assert (outcome.kind if outcome else None) == expected


def test_there_is_no_verdict_before_our_deployment_began() -> None:
    goal = Goal(NEW_IMAGE, before="d1", before_definition=OLD)
    assert verdict.judge(snapshot(deployment("d1", OLD)), goal) is None


def test_a_deployment_that_was_superseded_between_two_looks_is_not_waited_for() -> None:
    goal = Goal(NEW_IMAGE, before="d1", before_definition=OLD)
    outcome = verdict.judge(snapshot(deployment("d3", OTHER)), goal)
    assert outcome is not None and outcome.kind == "superseded"


def test_a_service_without_a_target_group_needs_no_target() -> None:
    now = snapshot(states="", service=service(DONE, balanced=False))
    assert verdict.judge(now, GOAL) == Outcome("deployed")


def test_a_rollback_has_the_reason_that_ecs_gives() -> None:
    failed = deployment(
        "d2", NEW, primary=False, running=0, state="FAILED", reason="tasks failed to start"
    )
    outcome = verdict.judge(snapshot(deployment("d9", OLD), failed), GOAL)
    assert outcome is not None
    assert (outcome.kind, outcome.reason) == ("rolled-back", "tasks failed to start")


@pytest.mark.parametrize(
    ("now", "kind", "words"),
    [
        (snapshot(DONE, states="healthy unhealthy"), "deployed-unhealthy", "1 of 2 targets"),
        (snapshot(deployment("d2", NEW, state="FAILED")), "deployed-unhealthy", "failed"),
        (snapshot(deployment("d2", NEW, running=1)), "timed-out", "1 of 2 tasks run"),
        (snapshot(deployment("d1", OLD)), "timed-out", "2 of 2 tasks run"),
        (snapshot(), "failed", "the service is not there any more"),
    ],
)
def test_when_the_time_is_over_the_state_decides(now: Snapshot, kind: str, words: str) -> None:
    outcome = verdict.give_up(now, GOAL)
    assert outcome.kind == kind and words in outcome.reason


def test_a_forced_deployment_is_known_by_its_id_not_by_its_revision() -> None:
    before = snapshot(deployment("d1", NEW))
    goal = Goal.from_now(NEW_IMAGE, before, forced=True)
    assert goal.seen(before).ours == ""
    assert goal.seen(snapshot(deployment("d2", NEW))).ours == "d2"


@pytest.mark.parametrize(
    ("primary", "ours", "kind"),
    [
        # Somebody else forces one, too, and it has the same task definition as all others.
        (deployment("d3", NEW), "IN_PROGRESS", "superseded"),
        (deployment("d3", NEW, reason="ECS deployment d3 in progress."), "", "superseded"),
        (deployment("d1", NEW), "IN_PROGRESS", "rolled-back"),
        (deployment("d3", NEW), "FAILED", "rolled-back"),
        (
            deployment("d3", NEW, reason="ECS deployment circuit breaker: rolling back to d1."),
            "",
            "rolled-back",
        ),
    ],
)
def test_a_forced_deployment_is_told_from_one_that_follows_it(
    primary: Deployment, ours: str, kind: str
) -> None:
    begun = snapshot(deployment("d2", NEW), deployment("d1", NEW, primary=False))
    goal = Goal.from_now(NEW_IMAGE, snapshot(deployment("d1", NEW)), forced=True).seen(begun)
    others = [deployment("d2", NEW, primary=False, state=ours)] if ours else []
    outcome = verdict.judge(snapshot(primary, *others), goal)
    assert outcome is not None and outcome.kind == kind
