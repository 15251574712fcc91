"""Stack operations over HTTP, in fast simulated time: what a client of AWS would see."""

import json
import os
import time
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from opsctl_sandbox.process import lifecycle
from opsctl_sandbox.process.home import Home, Sandbox, Settings
from tests.opsctl_sandbox.clients import client, post
from tests.opsctl_sandbox.cloudformation.stack import template

Clients = Callable[[str], Any]
SPEED = 1200.0


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = Home(tmp_path_factory.mktemp("fast"), "fast")
    *_, last = lifecycle.up(home, Settings(name="fast", tasks="none", speed=SPEED), os.environ)
    assert last.sandbox is not None
    yield last.sandbox
    list(lifecycle.down(home))


@pytest.fixture
def aws(fast: Sandbox) -> Iterator[Clients]:
    made: dict[str, Any] = {}

    def one_client(service: str) -> Any:
        if service not in made:
            made[service] = client(fast, service)
        return made[service]

    yield one_client
    for one in made.values():
        one.close()


@pytest.fixture
def fail(fast: Sandbox) -> Iterator[Callable[..., None]]:
    def plan(*failures: dict[str, Any]) -> None:
        assert len(post(fast, "failures", failures)) == len(failures)

    yield plan
    plan()


@pytest.fixture
def name() -> str:
    return f"s{uuid4().hex[:8]}"


def create(aws: Clients, name: str, **options: Any) -> str:
    body = json.dumps(template(name, **options))
    identifier: str = aws("cloudformation").create_stack(StackName=name, TemplateBody=body)[
        "StackId"
    ]
    return identifier


def settled(aws: Clients, stack: str) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        (found,) = aws("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        if not found["StackStatus"].endswith("_IN_PROGRESS"):
            return str(found["StackStatus"])
        time.sleep(0.02)
    raise AssertionError(f"{stack} did not settle")


def events(aws: Clients, stack: str) -> list[tuple[str, str, str]]:
    pages = aws("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack)
    newest_first = [e for page in pages for e in page["StackEvents"]]
    return [
        (e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", ""))
        for e in reversed(newest_first)
    ]


def held(aws: Clients, stack: str) -> dict[str, tuple[str, str]]:
    """Status and reason of each resource."""
    described = aws("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    return {
        one["LogicalResourceId"]: (one["ResourceStatus"], one.get("ResourceStatusReason", ""))
        for one in described
    }


def update(aws: Clients, name: str, image: str) -> None:
    aws("cloudformation").update_stack(
        StackName=name,
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Image", "ParameterValue": image}],
    )


def service(aws: Clients, name: str) -> dict[str, Any]:
    found: dict[str, Any] = aws("ecs").describe_services(cluster=name, services=[name])["services"][
        0
    ]
    return found


def test_a_stack_is_created_over_time_in_the_order_of_its_dependencies(
    aws: Clients, name: str
) -> None:
    stack = create(aws, name)
    (found,) = aws("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    assert found["StackStatus"] == "CREATE_IN_PROGRESS"
    assert settled(aws, stack) == "CREATE_COMPLETE"
    history = events(aws, stack)
    last = history.index(("Listener", "CREATE_COMPLETE", ""))
    assert last < history.index(("Service", "CREATE_IN_PROGRESS", ""))
    assert history[-1] == (name, "CREATE_COMPLETE", "")


def test_a_created_service_is_steady(aws: Clients, name: str) -> None:
    settled(aws, create(aws, name))
    found = service(aws, name)
    assert (found["runningCount"], found["deployments"][0]["rolloutState"]) == (4, "COMPLETED")
    assert found["placementStrategy"][1] == {"type": "spread", "field": "instanceId"}
    assert "has reached a steady state" in found["events"][0]["message"]


def test_what_a_task_definition_says_is_kept_whole(aws: Clients, name: str) -> None:
    settled(aws, create(aws, name))
    arn = service(aws, name)["taskDefinition"]
    document = aws("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
    (container,) = document["containerDefinitions"]
    limit = {"name": "nofile", "softLimit": 1024000, "hardLimit": 1024000}
    assert container["ulimits"] == [limit]
    assert container["logConfiguration"]["options"] == {"awslogs-group": f"{name}-stdout"}


def test_instances_targets_and_activities_agree(aws: Clients, name: str) -> None:
    settled(aws, create(aws, name))
    (group,) = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ]
    ids = {i["InstanceId"] for i in group["Instances"]}
    described = aws("ec2").describe_instances(InstanceIds=sorted(ids))["Reservations"]
    assert {r["Instances"][0]["State"]["Name"] for r in described} == {"running"}
    arns = aws("ecs").list_container_instances(cluster=name)["containerInstanceArns"]
    joined = aws("ecs").describe_container_instances(cluster=name, containerInstances=arns)
    assert {i["ec2InstanceId"] for i in joined["containerInstances"]} == ids
    left = [i["remainingResources"][0]["integerValue"] for i in joined["containerInstances"]]
    assert left == [1024, 1024]
    (targets,) = aws("elbv2").describe_target_groups(Names=[name])["TargetGroups"]
    health = aws("elbv2").describe_target_health(TargetGroupArn=targets["TargetGroupArn"])
    states = [d["TargetHealth"]["State"] for d in health["TargetHealthDescriptions"]]
    assert states == ["healthy"] * 4
    history = aws("autoscaling").describe_scaling_activities(AutoScalingGroupName=name)[
        "Activities"
    ]
    assert [a["StatusCode"] for a in history] == ["Successful"] * 2
    console = aws("ec2").get_console_output(InstanceId=min(ids), Latest=True)["Output"]
    assert "signalled success" in console


def test_an_update_rolls_the_tasks_and_cleans_up_the_old_revision(aws: Clients, name: str) -> None:
    stack = create(aws, name)
    settled(aws, stack)
    update(aws, name, "repo:2")
    assert settled(aws, stack) == "UPDATE_COMPLETE"
    arns = aws("ecs").list_tasks(cluster=name)["taskArns"]
    tasks = aws("ecs").describe_tasks(cluster=name, tasks=arns)["tasks"]
    assert {c["image"] for t in tasks for c in t["containers"]} == {"repo:2"}
    history = events(aws, stack)
    assert (name, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "") in history
    assert not any(r == "Logs" and s.startswith("UPDATE") for r, s, _ in history)


def test_what_an_update_replaces_says_so_and_begins_anew(aws: Clients, name: str) -> None:
    # A log group that was renamed was replaced without the first of the two.
    stack = create(aws, name)
    settled(aws, stack)
    changed = template(name)
    changed["Resources"]["Logs"]["Properties"]["LogGroupName"] = f"{name}-renamed"
    aws("cloudformation").update_stack(StackName=name, TemplateBody=json.dumps(changed))
    assert settled(aws, stack) == "UPDATE_COMPLETE"
    history = [one for one in events(aws, stack) if one[1].startswith(("UPDATE", "DELETE"))]
    words = "Requested update requires the creation of a new physical resource; hence creating one."
    for replaced in ("Logs", "Task"):
        assert [one[1:] for one in history if one[0] == replaced] == [
            ("UPDATE_IN_PROGRESS", words),
            ("UPDATE_IN_PROGRESS", "Resource creation Initiated"),
            ("UPDATE_COMPLETE", ""),
            ("DELETE_IN_PROGRESS", ""),
            ("DELETE_COMPLETE", ""),
        ]


def test_a_crashing_release_trips_the_breaker_and_the_stack_rolls_back(
    aws: Clients, fail: Callable[..., None], name: str
) -> None:
    stack = create(aws, name)
    settled(aws, stack)
    fail({"kind": "crash-at-start", "match": "repo:bad", "exit_code": 3})
    update(aws, name, "repo:bad")
    assert settled(aws, stack) == "UPDATE_ROLLBACK_COMPLETE"
    reasons = [reason for _, status, reason in events(aws, stack) if status == "UPDATE_FAILED"]
    assert any("ECS Deployment Circuit Breaker was triggered" in r for r in reasons)
    assert service(aws, name)["runningCount"] == 4
    stopped = aws("ecs").list_tasks(cluster=name, desiredStatus="STOPPED")["taskArns"]
    tasks = aws("ecs").describe_tasks(cluster=name, tasks=stopped)["tasks"]
    crashed = [t for t in tasks if t["stopCode"] == "EssentialContainerExited"]
    assert len(crashed) >= 3
    assert {(c["image"], c["exitCode"]) for t in crashed for c in t["containers"]} == {
        ("repo:bad", 3)
    }


def test_a_missing_signal_fails_the_creation_and_cancels_what_was_under_way(
    aws: Clients, fail: Callable[..., None], name: str
) -> None:
    fail({"kind": "signal-missing", "match": name, "times": 1})
    stack = create(aws, name)
    assert settled(aws, stack) == "ROLLBACK_COMPLETE"
    history = events(aws, stack)
    reason = "Failed to receive 1 resource signal(s) within the specified duration"
    assert ("Group", "CREATE_FAILED", reason) in history
    why = "The following resource(s) failed to create: [Group]. Rollback requested by user."
    assert (name, "ROLLBACK_IN_PROGRESS", why) in history
    assert ("Cluster", "DELETE_COMPLETE", "") in history


def test_a_failing_sibling_cancels_creations(
    aws: Clients, fail: Callable[..., None], name: str
) -> None:
    fail({"kind": "resource-fails", "match": "Targets ", "reason": "No room", "times": 1})
    stack = create(aws, name)
    assert settled(aws, stack) == "ROLLBACK_COMPLETE"
    history = events(aws, stack)
    assert ("Targets", "CREATE_FAILED", "No room") in history
    assert ("Balancer", "CREATE_FAILED", "Resource creation cancelled") in history


def updated_badly(aws: Clients, fail: Callable[..., None], name: str, **more: Any) -> str:
    """A stack whose update fails, and whose service cannot be rolled back."""
    stack = create(aws, name)
    settled(aws, stack)
    fail(
        {"kind": "image-missing", "match": "repo:bad"},
        {"kind": "update-rollback-fails", "match": "Service ", **more},
    )
    update(aws, name, "repo:bad")
    return stack


def test_a_rollback_that_fails_is_continued(
    aws: Clients, fail: Callable[..., None], name: str
) -> None:
    stack = updated_badly(aws, fail, name, reason="Stuck", times=1)
    assert settled(aws, stack) == "UPDATE_ROLLBACK_FAILED"
    assert held(aws, stack)["Service"] == ("UPDATE_FAILED", "Stuck")
    aws("cloudformation").continue_update_rollback(StackName=name, ResourcesToSkip=[])
    assert settled(aws, stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert held(aws, stack)["Service"] == ("UPDATE_COMPLETE", "")
    assert service(aws, name)["deployments"][0]["rolloutState"] == "COMPLETED"


def test_what_a_rollback_cannot_skip_or_delete_stays_in_the_stack(
    aws: Clients, fail: Callable[..., None], name: str
) -> None:
    stuck = {"kind": "delete-fails", "match": "Logs ", "reason": "In use", "times": 2}
    # The task definition needs the log group, so this one exists when that one fails.
    fail({"kind": "resource-fails", "match": "Task ", "times": 1}, stuck)
    stack = create(aws, name)

    assert settled(aws, stack) == "ROLLBACK_FAILED"
    assert held(aws, stack)["Logs"] == ("DELETE_FAILED", "In use")
    aws("cloudformation").delete_stack(StackName=stack)
    assert settled(aws, stack) == "DELETE_FAILED"
    aws("cloudformation").delete_stack(StackName=stack, RetainResources=["Logs"])
    assert settled(aws, stack) == "DELETE_COMPLETE"


def test_a_skipped_resource_counts_as_rolled_back(
    aws: Clients, fail: Callable[..., None], name: str
) -> None:
    stack = updated_badly(aws, fail, name)
    with pytest.raises(ClientError, match="cannot be deleted while in status UPDATE_IN_PROGRESS"):
        aws("cloudformation").delete_stack(StackName=name)
    assert settled(aws, stack) == "UPDATE_ROLLBACK_FAILED"
    aws("cloudformation").continue_update_rollback(StackName=name)
    assert settled(aws, stack) == "UPDATE_ROLLBACK_FAILED"
    aws("cloudformation").continue_update_rollback(StackName=name, ResourcesToSkip=["Service"])
    assert settled(aws, stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert held(aws, stack)["Service"] == (
        "UPDATE_COMPLETE",
        "Resource rollback skipped by user",
    )


def test_a_deletion_that_fails_can_be_repeated(
    aws: Clients, fail: Callable[..., None], name: str
) -> None:
    stack = create(aws, name)
    settled(aws, stack)
    fail({"kind": "delete-fails", "match": "Targets ", "reason": "In use", "times": 1})
    aws("cloudformation").delete_stack(StackName=name)
    assert settled(aws, stack) == "DELETE_FAILED"
    aws("cloudformation").delete_stack(StackName=name)
    assert settled(aws, stack) == "DELETE_COMPLETE"
    assert name not in str(aws("ecs").list_clusters()["clusterArns"])


def test_an_unknown_failure_is_refused(fast: Sandbox) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400") as refused:
        post(fast, "failures", [{"kind": "rain"}])
    assert "not a kind of failure" in refused.value.read().decode()
    refused.value.close()


def test_a_cache_that_somebody_resized_is_set_back(aws: Clients, name: str) -> None:
    cache = {"ClusterName": name, "CacheNodeType": "cache.t4g.micro", "NumCacheNodes": 1}
    resource = {"Type": "AWS::ElastiCache::CacheCluster", "Properties": cache | {"Engine": "redis"}}
    body = json.dumps({"Resources": {"Cache": resource}})
    cloudformation, elasticache = aws("cloudformation"), aws("elasticache")
    cloudformation.create_stack(StackName=name, TemplateBody=body)
    settled(aws, name)
    small = {"CacheNodeType": "cache.t4g.small", "ApplyImmediately": True}
    elasticache.modify_cache_cluster(CacheClusterId=name, **small)

    back = cloudformation.create_change_set(
        StackName=name, ChangeSetName="back", TemplateBody=body, DeploymentMode="REVERT_DRIFT"
    )["Id"]
    [change] = cloudformation.describe_change_set(ChangeSetName=back)["Changes"]
    assert change["ResourceChange"]["ResourceDriftStatus"] == "MODIFIED"
    cloudformation.execute_change_set(ChangeSetName=back)

    assert settled(aws, name) == "UPDATE_COMPLETE"
    [now] = elasticache.describe_cache_clusters(CacheClusterId=name)["CacheClusters"]
    assert now["CacheNodeType"] == "cache.t4g.micro"


def test_what_somebody_changed_of_a_service_is_drift_and_is_put_back(
    aws: Clients, name: str
) -> None:
    stack = create(aws, name)
    settled(aws, stack)
    before = service(aws, name)
    settings = {"maximumPercent": 100, "minimumHealthyPercent": 0}
    here = {"cluster": name, "service": name}
    aws("ecs").update_service(**here, loadBalancers=[], deploymentConfiguration=settings)

    cloudformation = aws("cloudformation")
    change_set = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="back",
        UsePreviousTemplate=True,
        DeploymentMode="REVERT_DRIFT",
    )["Id"]
    [change] = cloudformation.describe_change_set(ChangeSetName=change_set)["Changes"]
    named = [one["Target"]["Name"] for one in change["ResourceChange"]["Details"]]
    assert named == ["DeploymentConfiguration", "LoadBalancers"]
    cloudformation.execute_change_set(ChangeSetName=change_set)
    assert settled(aws, stack) == "UPDATE_COMPLETE"
    after = service(aws, name)
    for key in ("loadBalancers", "deploymentConfiguration"):
        assert after[key] == before[key]
