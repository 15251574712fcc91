"""What somebody took away from under the service, or in front of it."""

from dataclasses import replace
from typing import Any

import pytest

from opsctl.snapshot.instances import ContainerInstance
from opsctl.snapshot.security_groups import Ingress, SecurityGroup
from opsctl.snapshot.snapshot import Look, Unread
from opsctl.snapshot.targets import Target, TargetGroup
from opsctl.snapshot.tasks import Container, Task
from tests.opsctl.cause.histories import ids, ranked
from tests.opsctl.snapshots import NEW, OLD, START, deployment, snapshot, stack

REVERT = "to make it again: opsctl ecs up --revert-drift"


def test_a_target_group_that_somebody_deleted_is_the_cause_and_the_way_out() -> None:
    # `why` said "nothing wrong that can be seen", because the targets could only not be read.
    call = ("elasticloadbalancing DescribeTargetHealth", "TargetGroupNotFound")
    unread = Unread("targets", "AWS refused DescribeTargetHealth", None, *call)
    [top] = ranked(snapshot(deployment("d1", NEW), states="", unread=(unread,)))
    assert (top.id, top.next) == ("target-group-gone", REVERT)


def test_a_load_balancer_that_admits_nobody_is_the_cause_and_the_way_out() -> None:
    # Every target was healthy, no client got in, and nothing was wrong that could be seen.
    group = TargetGroup("tg", security_groups=("sg-1",))
    parts = {"target_groups": (group,), "states": "healthy healthy"}
    now = snapshot(deployment("d1", NEW), **parts)  # type: ignore[arg-type]  # mixed values
    [top] = ranked(replace(now, security_groups=(SecurityGroup("sg-1", "web-lb"),)))
    assert (top.id, top.next) == ("balancer-shut", REVERT)
    admits = SecurityGroup("sg-1", "web-lb", (Ingress(80, 80, ("0.0.0.0/0",)),))
    another = SecurityGroup("sg-2", "web-other")
    assert ids(replace(now, security_groups=(admits, another))) == []


BALANCED = stack("ecs", "UPDATE_COMPLETE", outputs={"TargetGroupArn": "tg", "ListenerPort": "80"})
LOOK = Look(frozenset({"service", "stacks", "targets", "target_groups"}))


@pytest.mark.parametrize(("has", "words"), [((), "took that from it"), (("a:tg/2",), "tg/2")])
def test_a_service_whose_load_balancer_somebody_took_is_not_well(
    has: tuple[str, ...], words: str
) -> None:
    # `update-service --load-balancers []`: no client reached a task, and `status --check` said
    # "healthy: 2 of 2 tasks run, 0 targets are healthy".
    now = snapshot(deployment("d1", OLD), stacks={"ecs": BALANCED}, look=LOOK)
    assert now.service is not None and ranked(now) == ()
    [top] = ranked(replace(now, service=replace(now.service, target_groups=has), targets=()))
    assert (top.id, top.confidence, top.hinders) == ("service-unbalanced", "certain", True)
    assert words in top.sentence and top.next == "to put it back: opsctl ecs up --revert-drift"


def test_a_listener_that_somebody_moved_is_the_cause_and_the_way_out() -> None:
    here = TargetGroup("tg", listener_ports=(80,))
    now = snapshot(deployment("d1", OLD), stacks={"ecs": BALANCED}, target_groups=(here,))
    assert ranked(now) == ()
    [top] = ranked(replace(now, target_groups=(replace(here, listener_ports=(8088,)),)))
    assert (top.id, top.hinders) == ("listener-moved", True)
    assert "listens on port 8088, and its stack asks for 80" in top.sentence


def test_a_target_group_without_a_listener_is_reported() -> None:
    targets = (Target("i-1:80", "unused", "Target.NotInUse"),)
    [top] = ranked(snapshot(deployment("d1", NEW), targets=targets))
    assert (top.id, top.next) == ("listener-gone", REVERT)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CREATE_IN_PROGRESS", []),
        ("UPDATE_IN_PROGRESS", ["likely"]),
        ("UPDATE_ROLLBACK_IN_PROGRESS", ["likely"]),
        ("DELETE_IN_PROGRESS", []),
    ],
)
def test_a_listener_that_is_not_there_while_tasks_are_rolled_is_a_likely_cause(
    status: str, expected: list[str]
) -> None:
    targets = (Target("i-1:80", "unused", "Target.NotInUse"),)
    stacks = {"ecs": stack("ecs", status)}
    causes = ranked(snapshot(deployment("d1", NEW), targets=targets, stacks=stacks))
    assert [one.confidence for one in causes if one.id == "listener-gone"] == expected


@pytest.mark.parametrize(
    ("outputs", "status", "expected"),
    [
        ({"ServiceArn": "arn:aws:ecs:x/web"}, "UPDATE_COMPLETE", ["service-gone"]),
        ({"ServiceArn": "arn:aws:ecs:x/web"}, "UPDATE_IN_PROGRESS", ["service-gone"]),
        ({"ServiceArn": "arn:aws:ecs:x/web"}, "DELETE_IN_PROGRESS", []),
        ({"ServiceArn": "arn:aws:ecs:x/web"}, "DELETE_FAILED", []),
        ({"ServiceArn": "arn:aws:ecs:x/of-before"}, "UPDATE_IN_PROGRESS", []),
        ({"ServiceArn": "arn:aws:ecs:x/of-before"}, "UPDATE_COMPLETE", ["service-gone"]),
        ({}, "UPDATE_COMPLETE", []),
    ],
)
def test_a_service_that_a_release_made_and_that_is_not_there_was_deleted(
    outputs: dict[str, str], status: str, expected: list[str]
) -> None:
    states = {"ecs": stack("ecs", status, outputs=outputs)}
    look = Look(frozenset({"service", "stacks"}), ("ecs",))
    causes = ids(snapshot(states="", stacks=states, look=look))
    assert [one for one in causes if one == "service-gone"] == expected


TASKS = tuple(
    Task(f"t{n}", "RUNNING", NEW, "d1", "arn:i", started=START,
         containers=(Container("web", ports=(8000 + n,)),))
    for n in (1, 2)
)  # fmt: skip
REGISTERED: dict[str, Any] = {
    "tasks": TASKS,
    "instances": (ContainerInstance("arn:i", "i-1", "ACTIVE", True, cpu=4000, memory=4000),),
    "look": Look(frozenset({"tasks", "targets", "instances", "service"})),
}


@pytest.mark.parametrize(
    ("second", "seconds", "expected"),
    [
        (None, 600, ["target-unhealthy"]),
        (Target("i-1:8002", "draining"), 600, ["target-unhealthy"]),
        (None, 1, []),  # it started after its targets were read
        (Target("i-1:8002", "healthy"), 600, []),
    ],
)
def test_a_task_that_somebody_deregistered_gets_no_requests(
    second: Target | None, seconds: float, expected: list[str]
) -> None:
    # Everything looked well: ECS does not register it again.
    targets = tuple(filter(None, (Target("i-1:8001", "healthy"), second)))
    now = snapshot(deployment("d1", NEW), targets=targets, seconds=seconds, **REGISTERED)
    causes = ranked(now)
    assert [one.id for one in causes] == expected
    assert all("t2" in one.sentence and "ecs restart" in one.next for one in causes)


def test_a_task_is_not_missed_at_the_load_balancer_while_tasks_are_rolled() -> None:
    rolling = (
        deployment("d2", NEW, running=0, state="IN_PROGRESS"),
        deployment("d1", OLD, primary=False),
    )
    now = snapshot(*rolling, targets=(Target("i-1:8001", "healthy"),), seconds=600, **REGISTERED)
    assert "target-unhealthy" not in ids(now)
