"""ECS calls over HTTP, as boto3 makes them."""

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.fleet import until

Connect = Callable[[str], Any]


def register(ecs: Any, family: str, cpu: int = 256) -> str:
    container = {"name": "caddy", "image": "repo:1", "cpu": cpu, "memory": 200}
    answer = ecs.register_task_definition(family=family, containerDefinitions=[container])
    arn: str = answer["taskDefinition"]["taskDefinitionArn"]
    return arn


def instance(connect: Connect, cluster: str) -> str:
    """A cluster with one instance that has joined it; its container instance's ARN."""
    ecs = connect("ecs")
    ecs.create_cluster(clusterName=cluster)
    text = base64.b64encode(f"ECS_CLUSTER={cluster}".encode()).decode()
    data = {"InstanceType": "t3.small", "UserData": text}
    made = connect("ec2").create_launch_template(
        LaunchTemplateName=cluster, LaunchTemplateData=data
    )
    connect("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=cluster,
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=1,
        AvailabilityZones=["us-east-1a"],
        LaunchTemplate={"LaunchTemplateId": made["LaunchTemplate"]["LaunchTemplateId"]},
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
        if found:
            return str(found[0])
        time.sleep(0.05)
    raise AssertionError("no instance joined")


def phases(ecs: Any, cluster: str, task: str, last: str) -> list[str]:
    seen: list[str] = []
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        (found,) = ecs.describe_tasks(cluster=cluster, tasks=[task])["tasks"]
        if found["lastStatus"] not in seen:
            seen.append(found["lastStatus"])
        if found["lastStatus"] == last:
            return seen
        time.sleep(0.005)
    raise AssertionError(f"{task} went only through {seen}")


def test_a_task_goes_through_its_phases_and_keeps_the_reason_of_its_end(
    connect: Connect, unique: str
) -> None:
    instance(connect, unique)
    ecs = connect("ecs")
    definition = register(ecs, unique)
    (task,) = ecs.run_task(cluster=unique, taskDefinition=definition)["tasks"]
    seen = phases(ecs, unique, task["taskArn"], "RUNNING")
    assert seen[0] in ("PROVISIONING", "PENDING") and "PENDING" in seen
    ecs.stop_task(cluster=unique, task=task["taskArn"], reason="enough")
    phases(ecs, unique, task["taskArn"], "STOPPED")
    (ended,) = ecs.describe_tasks(cluster=unique, tasks=[task["taskArn"]])["tasks"]
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "enough")
    assert ended["createdAt"] < ended["pullStartedAt"] < ended["pullStoppedAt"]
    assert ended["pullStoppedAt"] < ended["startedAt"] < ended["stoppingAt"] < ended["stoppedAt"]


def test_a_task_has_the_tags_that_its_service_hands_on(connect: Connect, unique: str) -> None:
    instance(connect, unique)
    ecs, tags = connect("ecs"), [{"key": "team", "value": "a"}]
    ecs.create_service(
        cluster=unique,
        serviceName=unique,
        taskDefinition=register(ecs, unique),
        desiredCount=1,
        tags=tags,
        propagateTags="SERVICE",
        enableECSManagedTags=True,
    )
    until(lambda: ecs.list_tasks(cluster=unique, serviceName=unique)["taskArns"])
    names = ecs.list_tasks(cluster=unique, serviceName=unique)["taskArns"]

    (bare,) = ecs.describe_tasks(cluster=unique, tasks=names)["tasks"]
    (task,) = ecs.describe_tasks(cluster=unique, tasks=names, include=["TAGS"])["tasks"]
    assert bare["tags"] == []
    assert {one["key"]: one["value"] for one in task["tags"]} == {
        "team": "a",
        "aws:ecs:clusterName": unique,
        "aws:ecs:serviceName": unique,
    }


def test_a_task_that_fits_nowhere_is_a_failure_with_its_reason(
    connect: Connect, unique: str
) -> None:
    instance(connect, unique)
    ecs = connect("ecs")
    answer = ecs.run_task(cluster=unique, taskDefinition=register(ecs, unique, cpu=4096))
    assert answer["tasks"] == [] and answer["failures"][0]["reason"] == "RESOURCE:CPU"


def test_a_draining_instance_takes_no_task(connect: Connect, unique: str) -> None:
    arn = instance(connect, unique)
    ecs = connect("ecs")
    ecs.update_container_instances_state(
        cluster=unique, containerInstances=[arn], status="DRAINING"
    )
    (found,) = ecs.describe_container_instances(cluster=unique, containerInstances=[arn])[
        "containerInstances"
    ]
    assert found["status"] == "DRAINING"
    answer = ecs.run_task(cluster=unique, taskDefinition=register(ecs, unique))
    assert answer["failures"][0]["reason"] == "AGENT"


def test_desired_capacity_beyond_the_maximum_is_refused(connect: Connect, unique: str) -> None:
    instance(connect, unique)
    with pytest.raises(ClientError, match="above max value 1") as refused:
        connect("autoscaling").set_desired_capacity(AutoScalingGroupName=unique, DesiredCapacity=2)
    assert refused.value.response["Error"]["Code"] == "ValidationError"


def test_a_missing_resource_is_reported_in_the_words_of_ecs(connect: Connect, unique: str) -> None:
    ecs = connect("ecs")
    with pytest.raises(ecs.exceptions.ClusterNotFoundException, match="Cluster not found"):
        ecs.list_tasks(cluster=unique)
    ecs.create_cluster(clusterName=unique)
    (failure,) = ecs.describe_services(cluster=unique, services=["ghost"])["failures"]
    assert failure["reason"] == "MISSING" and failure["arn"].endswith("/ghost")
    with pytest.raises(ecs.exceptions.ServiceNotFoundException):
        ecs.update_service(cluster=unique, service="ghost")


def test_names_come_in_pages(connect: Connect, unique: str) -> None:
    ecs = connect("ecs")
    arns = [register(ecs, unique) for _ in range(5)]
    first = ecs.list_task_definitions(familyPrefix=unique, maxResults=3)
    rest = ecs.list_task_definitions(
        familyPrefix=unique, maxResults=3, nextToken=first["nextToken"]
    )
    assert first["taskDefinitionArns"] + rest["taskDefinitionArns"] == arns
    assert "nextToken" not in rest
