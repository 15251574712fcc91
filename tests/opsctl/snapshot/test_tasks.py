from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from opsctl.snapshot import tasks
from opsctl.snapshot.tasks import Container, Task

ARN = "arn:aws:ecs:us-east-1:123456789012:task/c/"


class Missing(Exception):
    pass


class Ecs:
    """So many tasks of each desired status, in pages of 100; one of them is in both lists."""

    exceptions = SimpleNamespace(ClusterNotFoundException=Missing, ServiceNotFoundException=Missing)

    def __init__(self, running: int, stopped: int, *, missing: bool = False) -> None:
        self.ids = {"RUNNING": range(running), "STOPPED": range(running - 1, running + stopped)}
        self.missing = missing
        self.batches: list[int] = []

    def get_paginator(self, name: str) -> "Ecs":
        assert name == "list_tasks"
        return self

    def paginate(self, *, desiredStatus: str, **_: str) -> Any:
        if self.missing:
            raise Missing
        arns = [f"{ARN}{number}" for number in self.ids[desiredStatus]]
        yield from ({"taskArns": arns[start : start + 100]} for start in range(0, len(arns), 100))

    def describe_tasks(self, cluster: str, tasks: list[str]) -> Any:
        self.batches.append(len(tasks))
        stopped = {f"{ARN}{number}" for number in self.ids["STOPPED"]}
        return {
            "tasks": [
                {"taskArn": arn, "lastStatus": "STOPPED" if arn in stopped else "RUNNING"}
                for arn in tasks
            ]
        }


def test_more_tasks_than_one_call_takes_come_in_batches_each_task_once() -> None:
    ecs = Ecs(running=230, stopped=20)
    read = tasks.read(cast(Any, ecs), "c", "s")
    assert len(read) == len({task.id for task in read}) == 251 - 1
    assert max(ecs.batches) == 100


def test_a_task_that_stops_between_the_two_calls_counts_as_stopped() -> None:
    read = tasks.read(cast(Any, Ecs(running=2, stopped=1)), "c", "s")
    assert [task.status for task in read if task.id == "1"] == ["STOPPED"]


def test_without_a_cluster_or_a_service_there_are_no_tasks() -> None:
    assert tasks.read(cast(Any, Ecs(1, 1, missing=True)), "c", "s") == ()


STOPPED = Task(
    "t",
    "STOPPED",
    "td:1",
    "ecs-svc/1",
    stop_code="EssentialContainerExited",
    reason="Essential container in task exited",
    containers=(Container("sidecar", 0), Container("app", 137, "OutOfMemoryError")),
)


@pytest.mark.parametrize(
    ("task", "why"),
    [
        (STOPPED, "`sidecar` exited 0; `app` exited 137; `app`: OutOfMemoryError"),
        (replace(STOPPED, stop_code="UserInitiated", reason="by hand"), "by hand"),
        (
            replace(STOPPED, stop_code="TaskFailedToStart", containers=(), reason="no secret"),
            "no secret",
        ),
        (replace(STOPPED, reason="Task failed ELB health checks in (x)"), "Task failed ELB health"),
        (Task("t", "STOPPED", "td:1", ""), "no reason given"),
    ],
)
def test_why_a_task_stopped_is_the_containers_own_reason_where_it_failed(
    task: Task, why: str
) -> None:
    assert task.why.startswith(why)


def test_the_exit_code_is_that_of_the_container_that_failed() -> None:
    assert STOPPED.exit_code == 137
    assert replace(STOPPED, containers=(Container("app", 0),)).exit_code == 0
    assert replace(STOPPED, containers=()).exit_code is None


def test_only_a_task_that_failed_is_one() -> None:
    assert STOPPED.failed and STOPPED.exited
    assert not replace(STOPPED, stop_code="ServiceSchedulerInitiated").failed
