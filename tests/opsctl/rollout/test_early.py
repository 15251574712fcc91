"""Ending a rollout early: when it is certain, when it is a question, and when it is neither."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsctl.procedure import Driver, Question
from opsctl.rollout import early_stop
from opsctl.rollout.early import Outlook
from opsctl.rollout.early_stop import CertainFailure, EarlyStop
from opsctl.rollout.verdict import Goal
from opsctl.snapshot.registry_images import RegistryImage
from opsctl.snapshot.service_deployments import ServiceDeployment
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.tasks import Container, Task
from opsctl_sandbox.cluster.failures import Failure, Kind
from tests.opsctl.rollout.simulated import READY, Simulated
from tests.opsctl.snapshots import (
    NEW,
    NEW_IMAGE,
    OLD,
    START,
    Driven,
    config,
    deployment,
    snapshot,
)

GOAL = Goal(NEW_IMAGE, "d1", OLD, frozenset({"d1"}), ours="d2")
SECOND = timedelta(seconds=1)
FORMAT = "exec /bin/service: exec format error"


def failed(number: int, code: int = 3) -> Task:
    return Task(
        f"t{number}",
        "STOPPED",
        NEW,
        "d2",
        stop_code="EssentialContainerExited",
        containers=(Container("web", code),),
        stopped=START + timedelta(seconds=number),
        started=START,
    )


def running(id: str = "r1", port: int = 40000) -> Task:
    return Task(id, "RUNNING", NEW, "d2", containers=(Container("web", ports=(port,)),))


def look(*tasks: Task, line: str = "", states: str = "healthy healthy", **parts: Any) -> Snapshot:
    primary = deployment("d2", NEW, running=0, pending=1, failed=len(tasks), state="IN_PROGRESS")
    lines = {task.id: (line,) for task in tasks if line}
    return snapshot(
        primary,
        deployment("d1", OLD, primary=False),
        tasks=tasks,
        lines=lines,
        seconds=60,
        states=states,
        **parts,
    )


def outlook(*looks: Snapshot) -> Outlook:
    seen = Outlook.begin(snapshot(deployment("d1", OLD)), breaker=True)
    for now in looks:
        seen = seen.see(now, GOAL)
    return seen


def test_the_same_failure_three_times_is_asked_about() -> None:
    doom = outlook(look(*map(failed, range(3)))).doom
    assert doom is not None and not doom.certain and doom.times == 3
    assert "it will fail: the same 3 times" in doom.sentence


def test_an_image_for_another_processor_is_certain_when_every_task_ended_so() -> None:
    doom = outlook(look(*(failed(n, 255) for n in range(3)), line=FORMAT)).doom
    assert doom is not None and doom.certain
    assert "it cannot succeed" in doom.sentence


@pytest.mark.parametrize("tasks", [(failed(0),), (failed(0), failed(1))])
def test_one_or_two_failed_tasks_are_no_certain_failure(tasks: tuple[Task, ...]) -> None:
    assert outlook(look(*tasks)).doom is None


def test_different_failures_do_not_count_as_the_same() -> None:
    odd = replace(failed(9), stop_code="TaskFailedToStart",
                  containers=(Container("web", None, "port is already allocated"),))  # fmt: skip
    assert outlook(look(failed(0), failed(1), failed(2), odd)).doom is None


def test_once_a_new_task_was_healthy_nothing_is_certain_any_more() -> None:
    served = look(running(port=80), states="healthy")
    assert outlook(served, look(*map(failed, range(5)))).doom is None


def test_a_task_that_still_runs_may_succeed() -> None:
    tasks = (*(failed(n, 255) for n in range(3)), running())
    doom = outlook(look(*tasks, line=FORMAT)).doom
    assert doom is None or not doom.certain


def test_a_retry_that_runs_shows_that_it_can() -> None:
    tasks = [*(failed(n, 255) for n in range(3)), replace(running(), created=START + 9 * SECOND)]
    doom = outlook(look(*tasks, line=FORMAT)).doom
    assert doom is not None and not doom.certain
    waits = replace(tasks[-1], status="PENDING")
    doom = outlook(look(*tasks[:-1], waits, line=FORMAT)).doom
    assert doom is not None and doom.certain, "it was begun after all of them had failed"


def test_the_cost_of_waiting_is_the_time_until_the_breaker_acts() -> None:
    seen = outlook(look(*map(failed, range(3))))
    assert seen.doom is not None and seen.doom.costs == timedelta()  # 3 of 3: it trips now
    without = replace(seen, breaker=False).see(look(*map(failed, range(4))), GOAL)
    assert without.doom is not None and without.doom.costs > timedelta(hours=2)


def test_the_cost_of_waiting_uses_the_deployment_s_own_threshold() -> None:
    seen = outlook(look(*map(failed, range(3))))
    each_takes = (seen.history.now.at - seen.began) / 3
    assert seen.costs(33) == each_takes * 30
    ours = replace(GOAL, ours="ecs-svc/2")
    listed = (ServiceDeployment("x/a", "STOPPED", threshold=3, revision="r/1"),
              ServiceDeployment("x/b", "IN_PROGRESS", threshold=33, revision="r/2"))  # fmt: skip
    now = replace(look(), service_deployments=listed)
    assert Driven(early_stop.threshold(ours), [now]).result == 33


class Ecs:
    """ECS with one deployment that is under way."""

    class exceptions:
        ClientError = RuntimeError

    class meta:
        class service_model:
            operation_names = ("ListServiceDeployments",)

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def list_service_deployments(self, **_: Any) -> Any:
        return {"serviceDeployments": [{"serviceDeploymentArn": "x/2"}]}

    def describe_service_deployments(self, **_: Any) -> Any:
        one = {"serviceDeploymentArn": "x/2", "status": "IN_PROGRESS"}
        return {"serviceDeployments": [one]}

    def stop_service_deployment(self, **parameters: Any) -> None:
        assert parameters["stopType"] == "ROLLBACK"
        self.stopped.append(parameters["serviceDeploymentArn"])


class Asked:
    """One early stop against these looks, with an answer to each question or none."""

    def __init__(
        self,
        *looks: Snapshot,
        answer: bool | None = None,
        held: bool = False,
        overrides: tuple[str, ...] = (),
    ) -> None:
        self.ecs = Ecs()
        clients = cast(Any, type("Clients", (), {"ecs": self.ecs})())
        early = EarlyStop(clients, config(*overrides), snapshot(deployment("d1", OLD)))
        self.said: list[CertainFailure] = []
        self.questions: list[Question] = []
        image = RegistryImage(NEW_IMAGE, held)
        for now in looks:

            def see(look: Look, now: Snapshot = now) -> Snapshot:
                return replace(now, registry_images=(image,))

            driver = Driver(early(GOAL, now), look=see, sleep=lambda _: None)
            for item in driver:
                if isinstance(item, CertainFailure):
                    self.said.append(item)
                elif isinstance(item, Question):
                    self.questions.append(item)
                    driver.answer(item.unasked if answer is None else answer)
        self.done = early.done


DOOMED = look(*(failed(n, 255) for n in range(3)), line=FORMAT)


def test_a_certain_failure_is_rolled_back_where_nobody_can_be_asked() -> None:
    asked = Asked(DOOMED, DOOMED)
    assert asked.done and asked.ecs.stopped == ["x/2"]
    assert len(asked.said) == 1 and asked.said[0].stops
    assert "waiting costs about" in asked.questions[0].text


def test_a_repeated_failure_only_asks() -> None:
    tasks = look(*map(failed, range(3)))
    assert not Asked(tasks, tasks).done
    assert len(Asked(tasks, tasks).said) == 1
    assert Asked(tasks, answer=True).done


def test_without_a_breaker_nobody_agreed_to_a_rollback() -> None:
    asked = Asked(DOOMED, overrides=("ecs.breaker.enable=false",))
    assert not asked.done and asked.questions[0].unasked is False


def test_an_image_that_the_registry_holds_is_not_called_gone() -> None:
    pull = "CannotPullContainerError: manifest unknown"
    tasks = [
        replace(
            failed(n),
            stop_code="TaskFailedToStart",
            started=None,
            containers=(Container("web", None, pull),),
        )  # fmt: skip
        for n in range(3)
    ]
    assert Asked(look(*tasks), held=False).done
    assert not Asked(look(*tasks), held=True).done


def test_what_ecs_has_given_up_by_itself_is_not_asked_about() -> None:
    tripped = deployment("d2", NEW, running=0, state="FAILED")
    over = replace(DOOMED, service=snapshot(tripped).service)
    assert Asked(over).questions == []


PASSING: tuple[Kind, ...] = ("crash-at-start", "out-of-memory", "port-taken", "pull-denied")
LASTING: tuple[Kind, ...] = ("wrong-architecture",)


def followed(
    simulated: Simulated, *, grows: float | None = None, until: float = 2400.0
) -> tuple[bool, bool]:
    """Whether it was called certain, and whether anything was said of it at all."""
    said = certain = False
    seen = Outlook.begin(simulated.look(), breaker=True)
    goal = simulated.goal()
    simulated.roll()
    for looks, now in enumerate(simulated.looks(every=10.0, until=until)):
        if grows is not None and looks * 10.0 >= grows:
            simulated.grow(6)
            grows = None
        goal = goal.seen(now)
        seen = seen.see(now, goal)
        said = said or bool(goal.ours and seen.doom)
        certain = certain or bool(goal.ours and seen.doom and seen.doom.certain)
        if simulated.over:
            break
    return certain, said


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from([*PASSING, *LASTING]),
    times=st.sampled_from([1, 2, 3, 4, 6, None]),
    maximum=st.sampled_from([113, 150, 200]),
    after=st.sampled_from([1.0, 40.0, 200.0]),
)
def test_nothing_is_stopped_that_would_have_succeeded(
    seed: int, kind: Kind, times: int | None, maximum: int, after: float
) -> None:
    # An image does not change its processor after a while: what lasts happens always.
    planned = Failure(kind, match="web:2", times=None if kind in LASTING else times, after=after)
    simulated = Simulated(seed, planned, maximum=maximum)
    certain, _ = followed(simulated)
    assert not (certain and simulated.deployed)
    if kind in LASTING and maximum == 113 and after == 1.0:
        assert certain, "it was not seen that this can only fail"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    instances=st.sampled_from([2, 3, 4]),
    odd=st.integers(0, 3),
    times=st.sampled_from([3, 4, 6, None]),
    maximum=st.sampled_from([113, 150, 200]),
    after=st.sampled_from([1.0, 40.0]),
)
def test_nothing_is_stopped_when_only_one_instance_cannot_run_the_task(
    seed: int, instances: int, odd: int, times: int | None, maximum: int, after: float
) -> None:
    simulated = Simulated(seed, maximum=maximum, instances=instances)
    simulated.has_an_odd_one(odd, times=times, after=after)
    certain, _ = followed(simulated)
    assert not (certain and simulated.deployed)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    since=st.floats(0, 30),
    times=st.sampled_from([3, 4, 5]),
    desired=st.sampled_from([8, 12]),
)
def test_nothing_is_stopped_while_other_tasks_may_still_succeed(
    seed: int, since: float, times: int, desired: int
) -> None:
    # A registry shows an image that was just pushed to some before others.
    late = Failure("image-missing", match="web:2", times=times, start=READY + since)
    simulated = Simulated(seed, late, desired=desired)
    certain, _ = followed(simulated)
    assert not (certain and simulated.deployed), (seed, since, times, desired)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["targets-timeout", "targets-refused", "crash-at-start", "pull-denied"]),
    slow=st.sampled_from([0.0, 60.0, 240.0, 600.0]),
    instances=st.sampled_from([2, 3, 4]),
    grows=st.sampled_from([None, 30.0, 300.0]),
    room=st.sampled_from([(100, 200), (100, 113), (50, 100)]),
    late=st.sampled_from([None, 350.0, 450.0]),
)
def test_no_alarm_is_raised_at_a_slow_start_a_single_death_or_a_capacity_that_comes(
    seed: int,
    kind: Kind,
    slow: float,
    instances: int,
    grows: float | None,
    room: tuple[int, int],
    late: float | None,
) -> None:
    dies = kind in PASSING
    # Some that die once others are healthy are not the same error again and again.
    begins, often = (0.0, 1) if late is None else (READY + late, 3)
    odd = Failure(kind, match="web:2", end=READY + slow)
    if dies:
        odd = Failure(kind, match="web:2", times=often, start=begins, after=20.0)
    minimum, maximum = room
    simulated = Simulated(seed, odd, instances=instances, minimum=minimum, maximum=maximum)
    assert followed(simulated, grows=grows) == (False, False)
