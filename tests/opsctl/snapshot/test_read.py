"""A snapshot read side by side: complete, or with what is missing named."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from opsctl.aws import Clock, FailedCalls
from opsctl.errors import AwsError
from opsctl.snapshot.read import Reader
from opsctl.snapshot.snapshot import Look
from tests.opsctl.snapshots import NAMES, START

ALL = Look(
    frozenset(
        {
            "stacks",
            "service",
            "tasks",
            "task_definitions",
            "targets",
            "instances",
            "lines",
            "alarms",
        }
    )
)


class NotFound(Exception):
    pass


EXCEPTIONS = SimpleNamespace(
    ClientError=ClientError,
    ClusterNotFoundException=NotFound,
    ServiceNotFoundException=NotFound,
    ResourceNotFoundException=NotFound,
)
TASK = {
    "taskArn": "task/c/t1",
    "taskDefinitionArn": "td:1",
    "lastStatus": "STOPPED",
    "stopCode": "EssentialContainerExited",
}
SERVICE = {
    "serviceName": "web",
    "status": "ACTIVE",
    "desiredCount": 1,
    "runningCount": 1,
    "pendingCount": 0,
    "loadBalancers": [{"targetGroupArn": "tg"}],
    "deployments": [{"id": "d1", "status": "PRIMARY", "taskDefinition": "td:1"}],
}
CONTAINER = {
    "image": "app",
    "name": "app",
    "logConfiguration": {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/g", "awslogs-stream-prefix": "p"},
    },
}


@dataclass
class Aws:
    """Answers for one small system; `fails` gives an operation an error instead."""

    fails: dict[str, Exception] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    failed: FailedCalls = field(default_factory=FailedCalls)
    clock: Clock = field(default_factory=Clock)
    meet: Callable[[], object] = lambda: None

    def __getattr__(self, service: str) -> Any:
        return _Service(self)

    def answer(self, operation: str) -> Any:
        self.calls.append(operation)
        if operation in ("describe_services", "list_container_instances", "describe_alarms"):
            self.meet()
        if operation in self.fails:
            raise self.fails[operation]
        return ANSWERS[operation]


ANSWERS: dict[str, Any] = {
    "describe_stacks": {"Stacks": []},
    "describe_services": {"services": [SERVICE]},
    "list_tasks": {"taskArns": ["task/c/t1"]},
    "describe_tasks": {"tasks": [TASK]},
    "describe_task_definition": {
        "taskDefinition": {"taskDefinitionArn": "td:1", "containerDefinitions": [CONTAINER]}
    },
    "describe_target_health": {
        "TargetHealthDescriptions": [{"Target": {"Id": "i", "Port": 1}, "TargetHealth": {}}]
    },
    "list_container_instances": {"containerInstanceArns": []},
    "describe_alarms": {"MetricAlarms": []},
    "get_log_events": {"events": [{"message": "no such file"}]},
}


class _Service:
    exceptions = EXCEPTIONS

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [self._aws.answer(operation)])

    def __getattr__(self, operation: str) -> Any:
        return lambda **_: self._aws.answer(operation)


def reader(aws: Aws, *, patient: bool = True) -> Reader:
    return Reader(cast(Any, aws), NAMES, patient=patient, now=lambda: START)


def refused(operation: str) -> ClientError:
    metadata: Any = {"HTTPStatusCode": 403}
    error: Any = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": metadata}
    return ClientError(error, operation)


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_snapshot_has_the_time_of_aws_from_the_first_one_on(minutes: int) -> None:
    """Its date is known only once something has been answered."""
    wrong = START + timedelta(minutes=minutes)
    aws = Aws(clock=Clock(lambda: wrong))
    aws.meet = lambda: aws.clock.learn(format_datetime(START, usegmt=True))
    read = Reader(cast(Any, aws), NAMES, now=lambda: wrong)
    assert read(Look(frozenset({"service"}))).at == START


def test_everything_that_was_looked_at_is_there() -> None:
    now = reader(Aws())(ALL)
    assert now.at == START and now.unread == ()
    assert now.service is not None and now.service.desired == 1
    assert [task.id for task in now.stopped] == ["t1"]
    assert now.definition("td:1") is not None
    assert [target.id for target in now.targets] == ["i:1"]
    assert now.lines == {"t1": ("no such file",)}


def test_parts_are_read_side_by_side() -> None:
    # Three chains of calls reach this point together, or the barrier breaks.
    barrier = threading.Barrier(3)
    now = reader(Aws(meet=lambda: barrier.wait(timeout=10)))(ALL)
    assert now.unread == ()


def test_a_refused_part_is_named_and_the_others_are_there() -> None:
    now = reader(Aws(fails={"describe_alarms": refused("DescribeAlarms")}))(ALL)
    [unread] = now.unread
    assert (unread.part, unread.operation, unread.code) == (
        "alarms",
        "DescribeAlarms",
        "AccessDenied",
    )
    assert now.service is not None
    with pytest.raises(AwsError, match="refused DescribeAlarms"):
        now.require("alarms")
    assert now.require("service") is now


def test_what_needs_a_refused_part_is_named_too() -> None:
    now = reader(Aws(fails={"describe_services": refused("DescribeServices")}))(ALL)
    assert {unread.part for unread in now.unread} >= {"service", "targets", "task_definitions"}
    assert [task.id for task in now.stopped] == ["t1"]


def test_without_an_answer_a_patient_snapshot_fails_and_a_quick_one_names_the_part() -> None:
    silent = {"describe_alarms": EndpointConnectionError(endpoint_url="http://x")}
    with pytest.raises(EndpointConnectionError):
        reader(Aws(fails=dict(silent)))(ALL)
    now = reader(Aws(fails=dict(silent)), patient=False)(ALL)
    assert [unread.part for unread in now.unread] == ["alarms"]


def test_an_optional_part_never_makes_a_snapshot_fail() -> None:
    silent = {"list_alarm_mute_rules": EndpointConnectionError(endpoint_url="http://x")}
    now = reader(Aws(fails=dict(silent)))(ALL | Look(frozenset({"mute_rules"}), ()))
    assert [unread.part for unread in now.unread] == ["mute_rules"]
    assert now.service is not None


def test_an_answer_that_makes_no_sense_is_named_and_the_others_are_there() -> None:
    now = reader(Aws(fails={"describe_alarms": KeyError("StateValue")}))(ALL)
    [unread] = now.unread
    assert unread.reason == "what AWS says of the alarms cannot be read: it lacks 'StateValue'"
    assert unread.code == "" and now.service is not None


def test_task_definitions_and_last_lines_are_read_once() -> None:
    aws = Aws()
    read = reader(aws)
    read(ALL)
    read(ALL)
    assert aws.calls.count("describe_task_definition") == 1
    assert aws.calls.count("get_log_events") == 1
    assert aws.calls.count("describe_services") == 2


def test_lines_that_come_late_are_looked_for_again() -> None:
    aws = Aws(fails={"get_log_events": NotFound()})
    read = reader(aws)
    assert read(ALL).lines == {}
    aws.fails.clear()
    assert read(ALL).lines == {"t1": ("no such file",)}


def test_a_look_without_parts_makes_no_calls() -> None:
    aws = Aws()
    assert reader(aws)(Look()).unread == ()
    assert aws.calls == []


def test_the_union_of_two_looks_has_the_parts_of_both() -> None:
    both = Look(frozenset({"events"}), (), events_of="arn", after="e1") | Look(
        frozenset({"service"}), ("db",)
    )
    assert both.parts == {"events", "service"}
    assert (both.stacks, both.events_of, both.after) == (("db",), "arn", "e1")


def test_every_shard_of_the_cache_is_measured_and_no_replica() -> None:
    measured_nodes: list[str] = []

    def get_metric_data(*, MetricDataQueries: Any, **_: Any) -> Any:
        for query in MetricDataQueries:
            measured_nodes.append(query["MetricStat"]["Metric"]["Dimensions"][0]["Value"])
        return {"MetricDataResults": []}

    def group(*roles: str) -> Any:
        members = [
            {"CacheClusterId": f"web-{at:04}-001", "CurrentRole": role}
            for at, role in enumerate(roles, 1)
        ]
        return {"ReplicationGroups": [{"NodeGroups": [{"NodeGroupMembers": members}]}]}

    # ElastiCache names no roles in cluster mode.
    for roles, measured in ((("replica", "primary"), {"web-0002-001"}), (("", ""), None)):
        elasticache = SimpleNamespace(
            describe_replication_groups=lambda roles=roles, **_: group(*roles),
            describe_cache_clusters=lambda **_: {"CacheClusters": []},
        )
        clients = SimpleNamespace(
            cloudwatch=SimpleNamespace(get_metric_data=get_metric_data),
            elasticache=elasticache,
            failed=FailedCalls(),
            clock=Clock(),
        )
        measured_nodes.clear()
        names = replace(NAMES, replicated=True)
        Reader(cast(Any, clients), names)(Look(frozenset({"cache_use"})))
        assert set(measured_nodes) == (measured or {"web-0001-001", "web-0002-001"})
