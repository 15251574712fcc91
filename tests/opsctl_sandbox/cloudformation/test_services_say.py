from typing import Any

import pytest

from opsctl_sandbox.cloudformation.services_say import refused

GROUP, TARGETS = "AWS::ElastiCache::SubnetGroup", "AWS::ElasticLoadBalancingV2::TargetGroup"
TASK = "AWS::ECS::TaskDefinition"


def task(variable: str, secret: str) -> dict[str, Any]:
    container = {"Environment": [{"Name": variable}], "Secrets": [{"Name": secret}]}
    return {"ContainerDefinitions": [container]}


@pytest.mark.parametrize(
    ("kind", "properties", "sentence"),
    [
        (GROUP, {"CacheSubnetGroupName": "a_b"}, "not a valid identifier"),
        (GROUP, {"CacheSubnetGroupName": "a--b"}, "not a valid identifier"),
        ("AWS::IAM::Role", {"Tags": [{"Key": "team"}, {"Key": "Team"}]}, "case insensitive"),
        (TARGETS, {"HealthCheckIntervalSeconds": 5}, "must be greater than the timeout"),
        (
            TARGETS,
            {"HealthCheckProtocol": "HTTP", "HealthCheckIntervalSeconds": 6},
            "must be greater than the timeout",
        ),
        (TASK, task("A", "A"), "such as 'A'"),
    ],
)
def test_what_a_schema_allows_a_service_may_refuse(
    kind: str, properties: dict[str, Any], sentence: str
) -> None:
    answer = refused(kind, properties)
    assert answer is not None
    assert sentence in answer[1]


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        (GROUP, {"CacheSubnetGroupName": "Shared-1"}),
        (GROUP, {}),
        ("AWS::IAM::Role", {"Tags": [{"Key": "team"}, {"Key": "name"}]}),
        (TARGETS, {"HealthCheckProtocol": "TCP", "HealthCheckIntervalSeconds": 10}),
        (TARGETS, {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 4}),
        (TASK, task("A", "B")),
        ("AWS::EC2::SecurityGroup", {}),
    ],
)
def test_the_rest_is_taken(kind: str, properties: dict[str, Any]) -> None:
    assert refused(kind, properties) is None
