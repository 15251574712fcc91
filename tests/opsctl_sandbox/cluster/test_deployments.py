"""How a deployment of a service ends, by AWS's own word, and what CloudFormation hears of it."""

from dataclasses import replace

import pytest

from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.failures import Failure
from opsctl_sandbox.cluster.stacks import Done, service_done
from opsctl_sandbox.cluster.values import Deployment, Service
from tests.opsctl_sandbox.cluster.test_engine import HOUR, cluster, roll, well

CRASHES = Failure("crash-at-start", match="web:2", exit_code=3)


def released(*failures: Failure, **others: object) -> tuple[Engine, Service]:
    """A service whose first deployment has completed."""
    engine, service = cluster(3, *failures)
    engine.update_service(replace(service.spec, **others))  # type: ignore[arg-type]
    engine.advance(1500.0)
    assert service.primary.verdict == "SUCCESSFUL"
    return engine, service


def verdicts(engine: Engine, deployment: Deployment, seconds: float = HOUR) -> list[str]:
    """What it was called, in order."""
    seen = [str(deployment.verdict)]
    until = engine.world.now + seconds
    while engine.world.now < until:
        engine.advance(engine.world.now + 2.5)
        if deployment.verdict != seen[-1]:
            seen.append(str(deployment.verdict))
    return seen


def test_a_deployment_that_completes_is_successful() -> None:
    engine, service = released()
    roll(engine, service)
    assert verdicts(engine, service.primary) == ["IN_PROGRESS", "SUCCESSFUL"]


def test_another_target_group_begins_a_deployment_whose_tasks_are_registered_there() -> None:
    engine, service = released()
    first = service.primary
    [balancer] = service.spec.load_balancers
    new = replace(balancer, target_group="new")
    engine.update_service(replace(service.spec, load_balancers=(new,)))
    assert service.primary is not first
    assert verdicts(engine, service.primary) == ["IN_PROGRESS", "SUCCESSFUL"]
    assert {target.target_group for target in engine.world.targets.values()} == {"new"}


def test_the_breaker_rolls_back_and_the_service_names_the_good_definition_again() -> None:
    engine, service = released(CRASHES)
    good = service.spec.task_definition
    roll(engine, service)
    bad = service.primary

    expected = ["IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]
    assert verdicts(engine, bad) == expected
    assert bad.rollout_reason == "ECS deployment circuit breaker: tasks failed to start."
    assert bad.back_to == service.primary.revision
    assert service.spec.task_definition == service.primary.task_definition == good
    assert service.primary.verdict == "SUCCESSFUL"


def test_without_rollback_a_failed_deployment_is_stopped() -> None:
    engine, service = released(CRASHES, rollback=False)
    roll(engine, service)
    assert verdicts(engine, service.primary) == ["IN_PROGRESS", "STOPPED"]
    assert well(engine, service) == 8


def heard(engine: Engine, service: Service) -> tuple[Done, int]:
    """What CloudFormation gets to hear, and how many tasks were well then."""
    begun, since = service.primary, engine.world.now
    while (done := service_done(engine.world, service, begun, since)) is None:
        engine.advance(engine.world.now + 2.5)
    return done, well(engine, service)


def test_cloudformation_learns_of_the_breaker_only_after_the_rollback() -> None:
    engine, service = released(CRASHES)
    roll(engine, service)
    bad = service.primary
    done, tasks = heard(engine, service)
    assert "ECS Deployment Circuit Breaker was triggered" in done.reason
    assert (bad.verdict, tasks) == ("ROLLBACK_SUCCESSFUL", 8)


def test_a_deployment_that_its_owner_stops_rolls_back_and_fails_the_stack_that_waits() -> None:
    engine, service = released()
    roll(engine, service)
    stopped = service.primary
    engine.advance(engine.world.now + 20.0)
    engine.stop_deployment("c", "svc")
    assert str(stopped.verdict) == "ROLLBACK_REQUESTED"
    done = service_done(engine.world, service, stopped, engine.world.now)
    assert done is None, "the stack waits for the rollback"
    assert verdicts(engine, stopped)[-1] == "ROLLBACK_SUCCESSFUL"
    assert stopped.verdict_reason.startswith("Service deployment stopped by the user")
    assert service_done(engine.world, service, stopped, 0.0) != Done()


def test_a_stack_with_a_stopped_deployment_may_also_be_rehearsed_as_complete() -> None:
    engine, service = released(Failure("stopped-counts-as-done"))
    roll(engine, service)
    stopped = service.primary
    engine.advance(engine.world.now + 20.0)
    engine.stop_deployment("c", "svc")
    engine.advance(engine.world.now + HOUR)
    assert service_done(engine.world, service, stopped, 0.0) == Done()
    assert service.spec.task_definition != stopped.task_definition


def test_a_newer_deployment_stops_the_one_under_way() -> None:
    engine, service = released()
    roll(engine, service)
    first = service.primary
    engine.advance(engine.world.now + 20.0)
    roll(engine, service)
    assert first.verdict == "STOPPED"
    assert verdicts(engine, service.primary)[-1] == "SUCCESSFUL"


def test_a_rollback_that_fails_too_is_told_as_that() -> None:
    engine, service = released(CRASHES)
    # The old tasks are gone when the new ones fail, and the good image is gone as well.
    engine.update_service(replace(service.spec, minimum_percent=0, maximum_percent=100))
    engine.plan_failures([CRASHES, Failure("image-missing", match="web:1")])
    roll(engine, service)
    assert verdicts(engine, service.primary, 3 * HOUR)[-1] == "ROLLBACK_FAILED"


ALARMS = {"alarms": ("errors", "missing"), "alarm_rollback": True}


def test_an_alarm_that_begins_to_ring_rolls_the_deployment_back() -> None:
    engine, service = released(**ALARMS)
    roll(engine, service)
    bad = service.primary
    engine.advance(engine.world.now + 60.0)
    engine.world.alarms["errors"] = "ALARM"
    assert verdicts(engine, bad)[-1] == "ROLLBACK_SUCCESSFUL"
    assert bad.triggered == ("errors",)
    assert any("deployment failed: alarm detected." in e.message for e in service.events)


def test_an_alarm_that_rings_already_says_nothing_about_a_deployment() -> None:
    engine, service = released(**ALARMS)
    engine.world.alarms["errors"] = "ALARM"
    roll(engine, service)
    assert verdicts(engine, service.primary)[-1] == "SUCCESSFUL"


def test_alarms_are_watched_for_a_while_after_the_last_old_task_has_gone() -> None:
    engine, service = released(**ALARMS)
    roll(engine, service)
    bad = service.primary
    while bad.steady_since is None:
        engine.advance(engine.world.now + 2.5)
    engine.advance(engine.world.now + 30.0)
    assert str(bad.verdict) == "IN_PROGRESS"
    engine.world.alarms["errors"] = "ALARM"
    assert verdicts(engine, bad)[-1] == "ROLLBACK_SUCCESSFUL"


@pytest.mark.parametrize("reset", [True, False])
def test_a_healthy_task_ends_a_row_of_failures_unless_told_otherwise(reset: bool) -> None:
    engine, service = released(Failure("crash-at-start", match="web:2", times=6))
    engine.update_service(replace(service.spec, reset_on_healthy=reset, threshold=("COUNT", 100)))
    roll(engine, service)
    engine.advance(engine.world.now + HOUR)
    assert service.primary.failed_tasks == 6
    assert service.primary.consecutive_failures == (0 if reset else 6)
