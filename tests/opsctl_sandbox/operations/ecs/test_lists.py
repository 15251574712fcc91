"""What ECS lists and describes over HTTP: pages, filters, includes, and what it refuses."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect
from tests.opsctl_sandbox.fleet import until
from tests.opsctl_sandbox.operations.ecs.test_tasks import instance, phases, register


def code(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return str(refused.value.response["Error"]["Code"])


def everything(ecs: Any, operation: str, member: str, **parameters: Any) -> list[str]:
    """Every page of one name each."""
    pages = ecs.get_paginator(operation).paginate(**parameters, PaginationConfig={"PageSize": 1})
    found = [page[member] for page in pages]
    assert all(len(page) <= 1 for page in found)
    return [name for page in found for name in page]


def wait_until_completed(ecs: Any, cluster: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        (service,) = ecs.describe_services(cluster=cluster, services=["web"])["services"]
        if service["deployments"][0]["rolloutState"] == "COMPLETED":
            return
        time.sleep(0.05)
    raise AssertionError("the deployment did not complete")


@pytest.fixture
def ecs(connect: Connect) -> Any:
    return connect("ecs")


@pytest.fixture
def system(connect: Connect, ecs: Any, unique: str) -> str:
    """A cluster of that name with one instance, a service of two tasks and one task beside it."""
    instance(connect, unique)
    definition = register(ecs, unique)
    ecs.create_service(cluster=unique, serviceName="web", taskDefinition=definition, desiredCount=2)
    (alone,) = ecs.run_task(cluster=unique, taskDefinition=definition, startedBy="me")["tasks"]
    phases(ecs, unique, alone["taskArn"], "RUNNING")
    return unique


def test_every_list_comes_in_pages_that_are_the_whole(ecs: Any, system: str) -> None:
    for name in ("second", "third"):
        ecs.create_service(cluster=system, serviceName=name, taskDefinition=system, desiredCount=0)
    register(ecs, system)
    whole = ecs.list_tasks(cluster=system)["taskArns"]

    assert everything(ecs, "list_tasks", "taskArns", cluster=system) == whole
    assert len(everything(ecs, "list_services", "serviceArns", cluster=system)) == 3
    definitions = everything(
        ecs, "list_task_definitions", "taskDefinitionArns", familyPrefix=system
    )
    assert [arn.rpartition(":")[2] for arn in definitions] == ["1", "2"]
    assert any(
        f"cluster/{system}" in arn for arn in everything(ecs, "list_clusters", "clusterArns")
    )
    assert len(everything(ecs, "list_container_instances", "containerInstanceArns", cluster=system))


def test_tasks_are_filtered(ecs: Any, system: str) -> None:
    (host,) = ecs.list_container_instances(cluster=system)["containerInstanceArns"]
    cases: list[tuple[dict[str, str], int]] = [
        ({}, 3),
        ({"serviceName": "web"}, 2),
        ({"family": system}, 3),
        ({"family": "other"}, 0),
        ({"startedBy": "me"}, 1),
        ({"launchType": "EC2"}, 3),
        ({"launchType": "FARGATE"}, 0),
        ({"desiredStatus": "PENDING"}, 0),
        ({"desiredStatus": "STOPPED"}, 0),
        ({"containerInstance": host}, 3),
        ({"containerInstance": "ghost"}, 0),
    ]
    arn = host.replace(":container-instance/", ":cluster/").rpartition("/")[0]
    for parameters, number in cases:
        for cluster in (system, arn):
            found = ecs.list_tasks(cluster=cluster, **parameters)["taskArns"]
            assert len(found) == number, parameters


def test_container_instances_and_services_are_filtered(ecs: Any, system: str) -> None:
    def hosts(**parameters: str) -> int:
        found = ecs.list_container_instances(cluster=system, **parameters)
        return len(found["containerInstanceArns"])

    assert hosts(status="ACTIVE") == 1 and hosts(status="DRAINING") == 0
    assert ecs.list_services(cluster=system, launchType="FARGATE")["serviceArns"] == []
    assert ecs.list_services(cluster=system, schedulingStrategy="DAEMON")["serviceArns"] == []
    assert len(ecs.list_services(cluster=system, launchType="EC2")["serviceArns"]) == 1


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("list_tasks", {"nextToken": "junk"}, "InvalidParameterException"),
        ("list_tasks", {"maxResults": 101}, "InvalidParameterException"),
        ("list_tasks", {"maxResults": 0}, "InvalidParameterException"),
        ("list_tasks", {"desiredStatus": "BUSY"}, "InvalidParameterException"),
        ("list_tasks", {"serviceName": "ghost"}, "ServiceNotFoundException"),
        ("list_tasks", {"startedBy": "me", "family": "x"}, "InvalidParameterException"),
        ("list_services", {"launchType": "BUSY"}, "InvalidParameterException"),
        ("list_container_instances", {"filter": "colour == blue"}, "InvalidParameterException"),
        ("describe_services", {"services": []}, "InvalidParameterException"),
        ("describe_services", {"services": ["s"] * 11}, "InvalidParameterException"),
        ("describe_tasks", {"tasks": []}, "InvalidParameterException"),
        ("describe_tasks", {"tasks": ["t"] * 101}, "InvalidParameterException"),
        ("describe_container_instances", {"containerInstances": []}, "InvalidParameterException"),
        ("stop_task", {"task": "ghost"}, "InvalidParameterException"),
        ("run_task", {"taskDefinition": "ghost"}, "ClientException"),
        ("run_task", {"taskDefinition": "FAMILY", "count": 11}, "InvalidParameterException"),
        ("update_service", {"service": "ghost"}, "ServiceNotFoundException"),
        ("update_service", {"service": "web", "desiredCount": -1}, "InvalidParameterException"),
        (
            "update_service",
            {
                "service": "web",
                "deploymentConfiguration": {"minimumHealthyPercent": 200, "maximumPercent": 100},
            },
            "InvalidParameterException",
        ),
        (
            "update_service",
            {
                "service": "web",
                "deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 100},
            },
            "InvalidParameterException",
        ),
        (
            "update_service",
            {"service": "web", "capacityProviderStrategy": [{"capacityProvider": "p"}]},
            "InvalidParameterException",
        ),
        ("execute_command", {"task": "ghost", "command": "sh", "interactive": True},
         "UnknownOperationException"),
        ("start_task", {"taskDefinition": "x", "containerInstances": ["y"]},
         "UnknownOperationException"),
    ],
)  # fmt: skip
def test_an_invalid_request_is_refused_and_changes_nothing(
    ecs: Any, unique: str, operation: str, parameters: dict[str, Any], expected: str
) -> None:
    ecs.create_cluster(clusterName=unique)
    register(ecs, unique)
    ecs.create_service(cluster=unique, serviceName="web", taskDefinition=unique, desiredCount=0)
    parameters = {key: unique if value == "FAMILY" else value for key, value in parameters.items()}

    assert code(getattr(ecs, operation), cluster=unique, **parameters) == expected
    (service,) = ecs.describe_services(cluster=unique, services=["web"])["services"]
    assert service["desiredCount"] == 0


def test_a_token_serves_only_the_list_that_gave_it(ecs: Any, unique: str) -> None:
    for _ in range(2):
        register(ecs, unique)
    token = ecs.list_task_definitions(familyPrefix=unique, maxResults=1)["nextToken"]
    ecs.create_cluster(clusterName=unique)

    assert code(ecs.list_tasks, cluster=unique, nextToken=token) == "InvalidParameterException"


def test_tags_are_described_only_when_included(ecs: Any, unique: str) -> None:
    made = ecs.create_cluster(clusterName=unique, tags=[{"key": "a", "value": "1"}])["cluster"]
    arn = made["clusterArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
    left = [{"key": "b", "value": "2"}]

    def tags(**parameters: Any) -> Any:
        return ecs.describe_clusters(clusters=[arn], **parameters)["clusters"][0]["tags"]

    assert tags() == [] and tags(include=["TAGS"]) == left
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == left


def test_a_deployment_that_is_stopped_goes_back_to_the_last_good_one(ecs: Any, system: str) -> None:
    wait_until_completed(ecs, system)
    ecs.update_service(
        cluster=system, service="web", taskDefinition=register(ecs, system, cpu=100_000)
    )
    found = ecs.list_service_deployments(cluster=system, service="web")["serviceDeployments"]
    assert [one["status"] for one in found] == ["IN_PROGRESS", "SUCCESSFUL"]
    stopped = found[0]["serviceDeploymentArn"]

    def described() -> Any:
        answer = ecs.describe_service_deployments(serviceDeploymentArns=[stopped])
        return answer["serviceDeployments"][0]

    [source] = described()["sourceServiceRevisions"]
    ecs.stop_service_deployment(serviceDeploymentArn=stopped)
    assert described()["status"].startswith("ROLLBACK_")
    until(lambda: described()["status"] == "ROLLBACK_SUCCESSFUL")
    assert described()["rollback"]["serviceRevisionArn"] == source["arn"]
    assert described()["statusReason"].startswith("Service deployment stopped by the user")
    (service,) = ecs.describe_services(cluster=system, services=["web"])["services"]
    assert service["taskDefinition"].endswith(":1")
    assert service["deployments"][0]["taskDefinition"].endswith(":1")
    assert service["deployments"][0]["status"] == "PRIMARY"
    listed = ecs.list_service_deployments(cluster=system, service="web", status=["SUCCESSFUL"])
    assert len(listed["serviceDeployments"]) == 1, "a rollback is no deployment of its own"
    revision = found[0]["targetServiceRevisionArn"]
    (known,) = ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"]
    assert known["taskDefinition"].endswith(":2")
    assert code(ecs.stop_service_deployment, serviceDeploymentArn=stopped) == "ConflictException"
