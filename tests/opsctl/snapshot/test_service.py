"""What the calls' documented answers become; botocore checks each against the API's own model."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from opsctl.errors import OpsError
from opsctl.rollout import stop
from opsctl.rollout.follow import Watch
from opsctl.rollout.room import TaskSize, Wish
from opsctl.snapshot import service as observe
from opsctl.snapshot.service import Deployment, Observation, Target

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client

SERVICE = {
    "status": "ACTIVE",
    "desiredCount": 2,
    "runningCount": 1,
    "pendingCount": 1,
    "loadBalancers": [{"targetGroupArn": "tg", "containerName": "app", "containerPort": 8082}],
    "deployments": [
        {
            "id": "ecs-svc/2",
            "status": "PRIMARY",
            "taskDefinition": "td:2",
            "desiredCount": 2,
            "runningCount": 1,
            "pendingCount": 1,
            "failedTasks": 1,
            "rolloutState": "IN_PROGRESS",
            "rolloutStateReason": "in progress",
        }
    ],
    "events": [{"id": "e2", "message": "second"}, {"id": "e1", "message": "first"}],
}
ARN = "arn:aws:ecs:us-east-1:123456789012:task/c/"


@pytest.fixture
def ecs() -> Iterator["ECSClient"]:
    client = boto3.client(
        "ecs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    yield client
    client.close()


@pytest.fixture
def elbv2() -> Iterator["ElasticLoadBalancingv2Client"]:
    client = boto3.client(
        "elbv2", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    yield client
    client.close()


def stub_tasks(stub: Stubber, status: str, tasks: list[dict[str, Any]]) -> None:
    arns = [task["taskArn"] for task in tasks]
    stub.add_response(
        "list_tasks",
        {"taskArns": arns},
        {"cluster": "c", "serviceName": "s", "desiredStatus": status},
    )
    if arns:
        stub.add_response("describe_tasks", {"tasks": tasks}, {"cluster": "c", "tasks": arns})


def test_one_look_tells_deployments_stopped_tasks_and_targets(
    ecs: "ECSClient", elbv2: "ElasticLoadBalancingv2Client"
) -> None:
    stopped = {
        "taskArn": f"{ARN}t1",
        "taskDefinitionArn": "td:2",
        "startedBy": "ecs-svc/2",
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "app", "exitCode": 137, "reason": "OutOfMemoryError"}],
    }
    health = {
        "Target": {"Id": "i-1", "Port": 32768},
        "TargetHealth": {"State": "unhealthy", "Reason": "Target.Timeout"},
    }
    with Stubber(ecs) as on_ecs, Stubber(elbv2) as on_elbv2:
        on_ecs.add_response("describe_services", {"services": [SERVICE]})
        stub_tasks(on_ecs, "STOPPED", [stopped])
        on_elbv2.add_response(
            "describe_target_health",
            {"TargetHealthDescriptions": [health]},
            {"TargetGroupArn": "tg"},
        )
        found = observe.observe(ecs, elbv2, "c", "s")
    assert found.primary == Deployment(
        "ecs-svc/2", "PRIMARY", "td:2", 2, 1, 1, 1, "IN_PROGRESS", "in progress"
    )
    assert [message.text for message in found.messages] == ["first", "second"]
    assert found.targets == (Target("i-1:32768", "unhealthy", "Target.Timeout"),)
    assert found.stopped[0].exits == ("`app` exited 137", "`app`: OutOfMemoryError")
    assert found.balanced


@pytest.mark.parametrize("services", [[], [{"status": "INACTIVE"}]])
def test_a_service_that_is_not_there_is_said_with_the_command_that_makes_it(
    ecs: "ECSClient", services: list[dict[str, Any]]
) -> None:
    with Stubber(ecs) as stub, pytest.raises(OpsError, match="no service `s` in `c`") as caught:
        stub.add_response("describe_services", {"services": services})
        observe.describe(ecs, "c", "s")
    assert caught.value.hint == "opsctl ecs up"


def test_only_instances_that_take_tasks_are_room(ecs: "ECSClient") -> None:
    def instance(name: str, *, connected: bool) -> dict[str, Any]:
        amounts = [
            {"name": "CPU", "type": "INTEGER", "integerValue": 1024},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": 3000},
            {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22", "2376"]},
        ]
        return {
            "containerInstanceArn": name,
            "ec2InstanceId": f"i-{name}",
            "agentConnected": connected,
            "remainingResources": amounts,
            "registeredResources": amounts,
        }

    with Stubber(ecs) as stub:
        stub.add_response("list_container_instances", {"containerInstanceArns": ["a", "b"]})
        task = {"taskArn": f"{ARN}t1", "containerInstanceArn": "a", "lastStatus": "RUNNING"}
        stub_tasks(stub, "RUNNING", [task])
        stub.add_response(
            "describe_container_instances",
            {"containerInstances": [instance("a", connected=True), instance("b", connected=False)]},
        )
        (only,) = observe.instances(ecs, "c", "s")
    assert (only.id, only.cpu, only.memory, only.old) == ("i-a", 1024, 3000, 1)
    assert only.ports == {22, 2376}


@pytest.mark.parametrize(
    ("definition", "size"),
    [
        (
            {
                "containerDefinitions": [
                    {"cpu": 512, "memory": 400, "portMappings": [{"hostPort": 0}]}
                ]
            },
            TaskSize(512, 400),
        ),
        (
            {
                "cpu": "256",
                "memory": "512",
                "containerDefinitions": [{"cpu": 1, "portMappings": [{"hostPort": 80}]}],
            },
            TaskSize(256, 512, frozenset({80})),
        ),
        (
            {"containerDefinitions": [{"cpu": 1, "memory": 400, "memoryReservation": 100}]},
            TaskSize(1, 100),
        ),
    ],
)
def test_a_task_takes_the_room_that_ecs_reserves_for_it(
    ecs: "ECSClient", definition: dict[str, Any], size: TaskSize
) -> None:
    with Stubber(ecs) as stub:
        stub.add_response("describe_task_definition", {"taskDefinition": definition})
        assert observe.task_size(ecs, "td:1") == size


SIZE = TaskSize(512, 400)
ROLLING = Observation(
    4,
    6,
    0,
    (
        Deployment("new", "PRIMARY", "td:2", 4, 2, 0, 0, "IN_PROGRESS"),
        Deployment("old", "ACTIVE", "td:1", 4, 4, 0, 0),
    ),
    targets=tuple(Target(f"i:{port}", "healthy") for port in range(6)),
    balanced=True,
)


def watching(now: Observation) -> Watch:
    watch = Watch.start(lambda: now, lambda _: ["new"], image="new")
    watch.ours = "new"
    return watch


def test_a_wave_stops_old_tasks_down_to_the_minimum_and_no_further(ecs: "ECSClient") -> None:
    running = [
        {
            "taskArn": f"{ARN}t{number}",
            "lastStatus": "RUNNING",
            "startedBy": "new" if number < 2 else "old",
        }
        for number in range(6)
    ]
    with Stubber(ecs) as stub:
        stub_tasks(stub, "RUNNING", running)
        for task in ("t2", "t3", "t4"):
            stub.add_response(
                "stop_task",
                {},
                {"cluster": "c", "task": task, "reason": "opsctl update-tasks --strategy stop"},
            )
        wish = Wish(4, 75, 200, SIZE, SIZE)
        told = list(stop.wave(ecs, "c", "s", watching(ROLLING), wish))
        stub.assert_no_pending_responses()
    assert [event.text for event in told] == ["stopping 3 old tasks"]


@pytest.mark.parametrize(
    ("state", "running", "allowed"),
    [
        ("healthy", 6, 2),
        ("initial", 6, 0),
        ("unhealthy", 6, 1),
        ("draining", 6, 1),
        ("healthy", 4, 0),
    ],
)
def test_only_what_serves_above_the_minimum_may_stop(
    state: str, running: int, allowed: int
) -> None:
    targets = (*ROLLING.targets[:-1], Target("i:5", state))
    now = Observation(4, 6, 0, ROLLING.deployments, targets=targets, balanced=True)
    assert stop.allowed(now, running, Wish(4, 100, 200, SIZE, SIZE)) == allowed
