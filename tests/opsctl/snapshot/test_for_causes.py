"""What only causes need: who is asked, what is answered, and what an absent thing looks like."""

import base64
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from opsctl.config.sources import START_LOG_BEGINS, START_LOG_ENDS
from opsctl.snapshot import (
    cache_use,
    identity,
    lines,
    log_groups,
    machine_images,
    registry_images,
    security_groups,
    service_deployments,
    stacks,
    start_logs,
    targets,
)
from opsctl.snapshot.instances import Activity, ContainerInstance, Group, GroupInstance
from opsctl.snapshot.task_definitions import LogStream
from tests.opsctl.snapshot.conftest import Stub
from tests.opsctl.snapshots import DEFINITIONS, START, stack

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
HOME = {"account": "123456789012", "region": "us-east-1"}


def test_the_caller_is_named_with_account_and_region(stub: Stub) -> None:
    sts, stubber = stub("sts")
    stubber.add_response(
        "get_caller_identity", {"Account": "1", "Arn": "arn:aws:iam::1:user/ann", "UserId": "u"}
    )
    clients = cast(
        Any, SimpleNamespace(sts=sts, region="eu-central-1", credentials_end=lambda: None)
    )
    assert identity.read(clients) == identity.Identity(
        "1", "arn:aws:iam::1:user/ann", "eu-central-1"
    )


def test_a_security_group_says_whom_it_admits_where(stub: Stub) -> None:
    ec2, stubber = stub("ec2")
    rule = {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379,
            "UserIdGroupPairs": [{"GroupId": "sg-2"}],
            "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}  # fmt: skip
    group = {"GroupId": "sg-1", "GroupName": "cache", "IpPermissions": [rule]}
    stubber.add_response("describe_security_groups", {"SecurityGroups": [group]})
    [read] = security_groups.read(ec2, ["sg-1", ""])
    assert read.admits("sg-2", 6379) and not read.admits("sg-2", 22)
    assert not read.admits("sg-3", 6379) and read.admitted == ("sg-2", "10.0.0.0/8")
    assert security_groups.read(ec2, [""]) == ()


def test_a_rule_for_all_traffic_admits_every_port(stub: Stub) -> None:
    ec2, stubber = stub("ec2")
    rule = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    group = {"GroupId": "sg-1", "IpPermissions": [rule]}
    stubber.add_response("describe_security_groups", {"SecurityGroups": [group]})
    assert security_groups.read(ec2, ["sg-1"])[0].admits("sg-9", 6379)


def test_an_image_is_looked_up_by_digest_and_other_registries_are_left_alone(stub: Stub) -> None:
    ecr, stubber = stub("ecr")
    stubber.add_response(
        "describe_images",
        {"imageDetails": [{"imageTags": ["9f3c1e2"], "imagePushedAt": START}]},
        {"repositoryName": "web", "imageIds": [{"imageDigest": "sha256:1"}]},
    )
    [read] = registry_images.read(ecr, [f"{ECR}/web@sha256:1", "docker.io/library/caddy:2"], **HOME)
    assert (read.held, read.tags, read.pushed) == (True, ("9f3c1e2",), START)


def test_an_image_of_our_own_repository_is_looked_up_whatever_its_registry_is_called(
    stub: Stub,
) -> None:
    ecr, stubber = stub("ecr")
    stubber.add_response(
        "describe_images",
        {"imageDetails": []},
        {"repositoryName": "web", "imageIds": [{"imageTag": "1"}]},
    )
    own = "127.0.0.1:4566/web"
    [read] = registry_images.read(ecr, [f"{own}:1", "127.0.0.1:4566/webs:1"], own=own, **HOME)
    assert not read.held


@pytest.mark.parametrize(
    "host",
    [
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "999999999999.dkr.ecr.us-east-1.amazonaws.com",
    ],
)
def test_an_image_of_another_region_or_account_is_not_known(stub: Stub, host: str) -> None:
    # This Region's ECR would answer that it does not exist, and `why` would be certain of that.
    ecr, _ = stub("ecr")
    assert registry_images.read(ecr, [f"{host}/web:1"], **HOME) == ()


@pytest.mark.parametrize(
    "host",
    [
        "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
        "123456789012.dkr-ecr.us-east-1.on.aws",
    ],
)
def test_other_names_of_this_registry_are_known(stub: Stub, host: str) -> None:
    ecr, stubber = stub("ecr")
    stubber.add_response("describe_images", {"imageDetails": [{}]})
    assert registry_images.read(ecr, [f"{host}/web:1"], **HOME)[0].held


def test_an_image_or_a_repository_that_is_gone_is_not_held(stub: Stub) -> None:
    ecr, stubber = stub("ecr")
    stubber.add_client_error("describe_images", "ImageNotFoundException")
    assert not registry_images.read(ecr, [f"{ECR}/web:1"], **HOME)[0].held
    stubber.add_client_error("describe_images", "RepositoryNotFoundException")
    assert not registry_images.read(ecr, [f"{ECR}/web:1"], **HOME)[0].held


def test_a_log_group_is_there_by_its_whole_name_only(stub: Stub) -> None:
    logs, stubber = stub("logs")
    stubber.add_response("describe_log_groups", {"logGroups": [{"logGroupName": "/web/app2"}]})
    assert log_groups.read(logs, ["/web/app"]) == (log_groups.LogGroup("/web/app", False),)


def test_the_consoles_of_instances_that_never_joined_are_read(stub: Stub) -> None:
    new, old = "i-0123456789abcdef0", "i-0123456789abcdef1"
    launched = Activity("a", "Successful", f"Launching a new EC2 instance: {new}")
    group = Group("g", instances=(GroupInstance(old),), activities=(launched,))
    joined = [ContainerInstance("arn", old, "ACTIVE", True)]
    assert start_logs.absent(group, joined) == (new,)

    ec2, stubber = stub("ec2")
    stubber.add_response("get_console_output", console(*map(str, range(60))))
    assert start_logs.read(ec2, [new])[new] == tuple(map(str, range(15, 60)))


def console(*lines: str) -> dict[str, str]:
    return {"InstanceId": "i-1", "Output": base64.b64encode("\n".join(lines).encode()).decode()}


def test_an_instance_tells_why_it_cannot_start_whatever_its_console_says_later(stub: Stub) -> None:
    ec2, stubber = stub("ec2")
    begin, end = f"[   9.1] {START_LOG_BEGINS}", START_LOG_ENDS
    keys = ["-----BEGIN SSH HOST KEY KEYS-----", *["ssh-rsa AAAA"] * 60, "login:"]
    stubber.add_response("get_console_output", console("x", begin, "no packages", end, *keys))
    assert start_logs.read(ec2, ["i-1"]) == {"i-1": (START_LOG_BEGINS, "no packages")}
    # Its disk is full, so that there is no log to show.
    stubber.add_response("get_console_output", console("No space left on device", begin, end))
    assert start_logs.read(ec2, ["i-1"]) == {"i-1": (START_LOG_BEGINS, "No space left on device")}


@pytest.mark.parametrize("code", ["UnsupportedOperation", "IncorrectInstanceState", ""])
def test_a_console_that_is_not_there_yet_or_no_more_is_read_as_it_was_posted(
    stub: Stub, code: str
) -> None:
    ec2, stubber = stub("ec2")
    if code:
        stubber.add_client_error("get_console_output", code)
    else:
        stubber.add_response("get_console_output", {}, {"InstanceId": "i-1", "Latest": True})
    stubber.add_response(
        "get_console_output", console("posted"), {"InstanceId": "i-1", "Latest": False}
    )
    assert start_logs.read(ec2, ["i-1"]) == {"i-1": ("posted",)}


def test_an_instance_without_a_console_has_no_start_log(stub: Stub) -> None:
    ec2, stubber = stub("ec2")
    stubber.add_client_error("get_console_output", "InvalidInstanceID.NotFound")
    stubber.add_client_error("get_console_output", "InvalidInstanceID.NotFound")
    assert start_logs.read(ec2, ["i-1"]) == {}


def test_deployments_come_with_breaker_and_alarms(stub: Stub) -> None:
    ecs, stubber = stub("ecs")
    stubber.add_response("list_service_deployments",
                         {"serviceDeployments": [{"serviceDeploymentArn": "x/2"}]})  # fmt: skip
    described = {
        "serviceDeploymentArn": "x/2",
        "targetServiceRevision": {"arn": "y/7"},
        "status": "ROLLBACK_SUCCESSFUL",
        "deploymentCircuitBreaker": {"status": "TRIGGERED", "failureCount": 4, "threshold": 4},
        "alarms": {"triggeredAlarmNames": ["web-5xx"]},
    }
    stubber.add_response("describe_service_deployments", {"serviceDeployments": [described]})
    [read] = service_deployments.read(ecs, "web", "web")
    assert (read.id, read.breaker, read.failures, read.alarms) == (
        "ecs-svc/7",
        "TRIGGERED",
        4,
        ("web-5xx",),
    )


def test_where_the_operation_or_the_service_is_not_there_are_no_deployments(stub: Stub) -> None:
    ecs, stubber = stub("ecs")
    for code in ("ServiceNotFoundException", "UnknownOperationException"):
        stubber.add_client_error("list_service_deployments", code)
        assert service_deployments.read(ecs, "web", "web") == ()
    older = SimpleNamespace(
        meta=SimpleNamespace(service_model=SimpleNamespace(operation_names=["DescribeServices"]))
    )
    assert service_deployments.read(cast(Any, older), "web", "web") == ()


def test_the_cache_is_measured_by_its_newest_points(stub: Stub) -> None:
    cloudwatch, stubber = stub("cloudwatch")
    results = [{"Id": "m0", "Values": [41.0, 12.0]}, {"Id": "m1", "Values": []}]
    stubber.add_response("get_metric_data", {"MetricDataResults": results})
    used = cache_use.read(cloudwatch, ["web-redis"], START)
    assert used == cache_use.CacheUse(41.0, None, "web-redis")


def test_of_several_shards_the_fullest_counts(stub: Stub) -> None:
    cloudwatch, stubber = stub("cloudwatch")
    values = [12.0, 4.0, 99.0, 3.0]
    results = [{"Id": f"m{at}", "Values": [value]} for at, value in enumerate(values)]
    stubber.add_response("get_metric_data", {"MetricDataResults": results})
    nodes = ["web-0001-001", "web-0002-001"]
    assert cache_use.read(cloudwatch, nodes, START) == cache_use.CacheUse(99.0, 4.0, nodes[1])


def test_many_nodes_are_measured_in_several_calls(stub: Stub) -> None:
    cloudwatch, stubber = stub("cloudwatch")
    for value in (1.0, 2.0):
        results = [{"Id": "m0", "Values": [value]}]
        stubber.add_response("get_metric_data", {"MetricDataResults": results})
    nodes = [f"web-{number:04}-001" for number in range(1, 301)]
    assert cache_use.read(cloudwatch, nodes, START) == cache_use.CacheUse(2.0, None, nodes[250])


def test_a_machine_image_says_when_it_was_made(stub: Stub) -> None:
    ec2, stubber = stub("ec2")
    image = {"ImageId": "ami-1", "Name": "al2023", "CreationDate": "2026-11-17T12:00:00.000Z"}
    stubber.add_response("describe_images", {"Images": [image]})
    [read] = machine_images.read(ec2, ["ami-1", ""])
    assert read.created == START - timedelta(days=9)
    assert machine_images.read(ec2, [""]) == ()


def test_only_what_failed_is_kept_of_a_troubled_stack(stub: Stub) -> None:
    cloudformation, stubber = stub("cloudformation")
    common = {"StackId": "arn", "StackName": "web-db", "Timestamp": START}
    events = [
        {**common, "EventId": f"e{n}", "ResourceStatus": status, "LogicalResourceId": "Thing"}
        for n, status in enumerate(("CREATE_FAILED", "CREATE_IN_PROGRESS"))
    ]
    stubber.add_response("describe_stack_events", {"StackEvents": events})
    assert [event.id for event in stacks.failures(cloudformation, "arn")] == ["e0"]
    stubber.add_client_error("describe_stack_events", "ValidationError", "Stack does not exist")
    assert stacks.failures(cloudformation, "arn") == ()


def test_a_resource_is_known_by_what_its_service_calls_it(stub: Stub) -> None:
    cloudformation, stubber = stub("cloudformation")
    detail = {"LogicalResourceId": "Group", "PhysicalResourceId": "asg-1", "ResourceType": "t",
              "LastUpdatedTimestamp": START, "ResourceStatus": "CREATE_IN_PROGRESS"}  # fmt: skip
    stubber.add_response("describe_stack_resource", {"StackResourceDetail": detail})
    assert stacks.physical_id(cloudformation, "arn", "Group") == "asg-1"
    message = "Resource Group does not exist for stack web"
    stubber.add_client_error("describe_stack_resource", "ValidationError", message)
    assert stacks.physical_id(cloudformation, "arn", "Group") == ""


def test_a_target_group_comes_with_what_its_load_balancer_has(stub: Stub) -> None:
    elbv2, stubber = stub("elbv2")
    group = {"TargetGroupArn": "tg", "HealthCheckPort": "traffic-port", "HealthCheckPath": "/h",
             "LoadBalancerArns": ["lb"], "Matcher": {"HttpCode": "200"}}  # fmt: skip
    stubber.add_response("describe_target_groups", {"TargetGroups": [group]})
    stubber.add_response("describe_listeners", {"Listeners": [{"Port": 80}]})
    balancer = {"LoadBalancerArn": "lb", "SecurityGroups": ["sg-9"]}
    stubber.add_response("describe_load_balancers", {"LoadBalancers": [balancer]})
    [read] = targets.groups(elbv2, ["tg"])
    assert (read.check_port, read.path, read.security_groups) == ("traffic-port", "/h", ("sg-9",))
    assert read.listener_ports == (80,)
    assert targets.groups(elbv2, []) == ()


def test_errors_of_the_service_are_those_of_the_last_minutes(stub: Stub) -> None:
    logs, stubber = stub("logs")
    stubber.add_response("filter_log_events", {"events": [{"message": '{"error": "x"}\n'}]})
    assert lines.errors(logs, "/web/app", START) == ('{"error": "x"}',)
    stubber.add_client_error("filter_log_events", "ResourceNotFoundException")
    assert lines.errors(logs, "/web/app", START) == ()


def test_the_log_groups_are_those_of_the_tasks_and_of_a_stack_at_rest() -> None:
    outputs = {"AppLogGroupName": "/web/app", "ClusterName": "web"}
    made = stack("ecs", "UPDATE_COMPLETE", outputs=outputs)
    definition = replace(DEFINITIONS[0], logs=(LogStream("/web/stdout", "x", "web"),))
    assert log_groups.names(made, [definition]) == ("/web/stdout", "/web/app")
    at_work = replace(made, status="DELETE_IN_PROGRESS")
    assert log_groups.names(at_work, [definition]) == ("/web/stdout",)
    assert log_groups.names(None, []) == ()
