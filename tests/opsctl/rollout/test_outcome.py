import pytest

from opsctl.errors import Detached, OpsError, RolledBack, Superseded, TimedOut
from opsctl.rollout import outcome
from opsctl.rollout.outcome import Goal, Kind, Outcome
from opsctl.snapshot.service import Deployment, Observation, Target

OLD, NEW, OTHER = "td/app:1", "td/app:2", "td/app:3"
GOAL = Goal(frozenset({NEW}), before="d1", before_definition=OLD)


def deployment(
    id: str, definition: str, *, primary: bool = True, running: int = 2, state: str = "COMPLETED"
) -> Deployment:
    status = "PRIMARY" if primary else "ACTIVE"
    return Deployment(id, status, definition, 2, running, 0, 0, state)


def observation(*deployments: Deployment, states: str = "healthy healthy") -> Observation:
    targets = tuple(Target(f"i-{n}:80", state) for n, state in enumerate(states.split()))
    running = sum(each.running for each in deployments)
    return Observation(2, running, 0, deployments, targets=targets, balanced=True)


NEW_ONE = deployment("d2", NEW)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (observation(NEW_ONE), "deployed"),
        (observation(NEW_ONE, states="healthy healthy draining"), "deployed"),
        (observation(NEW_ONE, states="healthy initial"), None),
        (observation(NEW_ONE, states="healthy healthy unhealthy"), None),
        (observation(NEW_ONE, states=""), None),
        (observation(deployment("d2", NEW, running=1)), None),
        (observation(deployment("d2", NEW, state="IN_PROGRESS")), None),
        (observation(deployment("d2", NEW, state="FAILED")), None),
        (observation(NEW_ONE, deployment("d1", OLD, primary=False, running=1)), None),
        (observation(NEW_ONE, deployment("d1", OLD, primary=False, running=0)), "deployed"),
        (observation(deployment("d1", OLD)), "rolled-back"),
        (observation(deployment("d9", OLD)), "rolled-back"),
        (observation(deployment("d3", OTHER)), "superseded"),
        (observation(deployment("d3", NEW)), "superseded"),
    ],
)
def test_an_outcome_is_certain_or_it_is_none(now: Observation, expected: Kind | None) -> None:
    found = outcome.judge(now, GOAL, ours="d2")
    assert (found.kind if found else None) == expected


@pytest.mark.parametrize(
    ("primary", "words"),
    [
        (deployment("d3", OTHER), "another image is the primary now: app:3 (d3)"),
        (deployment("d3", NEW), "the same image is the primary now: app:2 (d3)"),
        (deployment("d1", OLD), "app:1 is the primary deployment again"),
    ],
)
def test_what_took_over_is_named(primary: Deployment, words: str) -> None:
    found = outcome.judge(observation(primary), GOAL, ours="d2")
    assert found is not None and found.reason.endswith(words)


def test_nothing_is_judged_before_our_deployment_began() -> None:
    assert outcome.judge(observation(deployment("d1", OLD)), GOAL, ours="") is None


def test_a_deployment_that_was_superseded_between_two_looks_is_not_waited_for() -> None:
    found = outcome.judge(observation(deployment("d3", OTHER)), GOAL, ours="")
    assert found is not None and found.kind == "superseded"


def test_a_service_without_a_target_group_needs_no_target() -> None:
    now = Observation(2, 2, 0, (NEW_ONE,))
    assert outcome.judge(now, GOAL, ours="d2") == Outcome("deployed")


def test_a_rollback_has_the_reason_that_ecs_gives() -> None:
    failed = Deployment("d2", "ACTIVE", NEW, 0, 0, 0, 3, "FAILED", "tasks failed to start")
    found = outcome.judge(observation(deployment("d9", OLD), failed), GOAL, ours="d2")
    assert found == Outcome("rolled-back", "tasks failed to start")


@pytest.mark.parametrize(
    ("now", "kind", "words"),
    [
        (observation(NEW_ONE, states="healthy unhealthy"), "deployed-unhealthy", "1 of 2 targets"),
        (observation(deployment("d2", NEW, state="FAILED")), "deployed-unhealthy", "failed"),
        (observation(deployment("d2", NEW, running=1)), "timed-out", "1 of 2 tasks run"),
        (observation(deployment("d1", OLD)), "timed-out", "2 of 2 tasks run"),
    ],
)
def test_when_the_time_is_over_the_state_decides(now: Observation, kind: Kind, words: str) -> None:
    found = outcome.give_up(now, GOAL)
    assert found.kind == kind and words in found.reason


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("deployed-unhealthy", OpsError, 1),
        ("timed-out", TimedOut, 4),
        ("rolled-back", RolledBack, 5),
        ("superseded", Superseded, 6),
        ("cancelled", Detached, 7),
    ],
)
def test_each_outcome_has_its_exit_code(kind: Kind, error: type[OpsError], code: int) -> None:
    with pytest.raises(error) as caught:
        Outcome(kind, "why").require()
    assert caught.value.exit_code == code


def test_deployed_is_no_error() -> None:
    Outcome("deployed").require()
