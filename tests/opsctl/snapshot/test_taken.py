"""Names that something in the account has already, asked of each service in its own way."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from opsctl.snapshot import taken
from opsctl.snapshot.taken import Named
from opsctl.stacks import names
from tests.opsctl.snapshot.conftest import Stub

GROUP = Named("AppLogGroup", "AWS::Logs::LogGroup", "/web/app")
# type, service, operation, the answer when it is there, the code when it is not
CASES: list[tuple[str, str, str, dict[str, Any], str]] = [
    (
        "AWS::ECR::Repository",
        "ecr",
        "describe_repositories",
        {"repositories": [{"repositoryName": "web"}]},
        "RepositoryNotFoundException",
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "elbv2",
        "describe_load_balancers",
        {"LoadBalancers": [{"LoadBalancerName": "web"}]},
        "LoadBalancerNotFound",
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "elbv2",
        "describe_target_groups",
        {"TargetGroups": [{"TargetGroupName": "web"}]},
        "TargetGroupNotFound",
    ),
    (
        "AWS::IAM::InstanceProfile",
        "iam",
        "get_instance_profile",
        {
            "InstanceProfile": {
                "Path": "/",
                "InstanceProfileName": "web",
                "InstanceProfileId": "AIPAXXXXXXXXXXXXX",
                "Arn": "arn:aws:iam::1:instance-profile/web",
                "CreateDate": "2026-01-01",
                "Roles": [],
            }
        },
        "NoSuchEntity",
    ),
    (
        "AWS::ElastiCache::CacheCluster",
        "elasticache",
        "describe_cache_clusters",
        {"CacheClusters": [{"CacheClusterId": "web"}]},
        "CacheClusterNotFound",
    ),
    (
        "AWS::ElastiCache::ReplicationGroup",
        "elasticache",
        "describe_replication_groups",
        {"ReplicationGroups": [{"ReplicationGroupId": "web"}]},
        "ReplicationGroupNotFoundFault",
    ),
    (
        "AWS::ElastiCache::SubnetGroup",
        "elasticache",
        "describe_cache_subnet_groups",
        {"CacheSubnetGroups": [{"CacheSubnetGroupName": "web"}]},
        "CacheSubnetGroupNotFoundFault",
    ),
    (
        "AWS::ElastiCache::User",
        "elasticache",
        "describe_users",
        {"Users": [{"UserId": "web"}]},
        "UserNotFound",
    ),
    (
        "AWS::ElastiCache::UserGroup",
        "elasticache",
        "describe_user_groups",
        {"UserGroups": [{"UserGroupId": "web"}]},
        "UserGroupNotFoundFault",
    ),
]


def read(service: str, client: Any, named: Named) -> bool:
    return taken.read(cast(Any, SimpleNamespace(**{service: client})), [named]) == (named,)


@pytest.mark.parametrize(("type", "service", "operation", "answer", "code"), CASES)
def test_what_is_there_is_taken_and_what_is_not_is_free(
    stub: Stub, type: str, service: str, operation: str, answer: Any, code: str
) -> None:
    client, stubber = stub(service)
    named = Named("It", type, "web", within="vpc-00000001")
    stubber.add_response(operation, answer)
    stubber.add_client_error(operation, code)
    assert read(service, client, named)
    assert not read(service, client, named)


def test_a_log_group_whose_name_only_begins_the_same_is_another(stub: Stub) -> None:
    logs, stubber = stub("logs")
    for name, there in (("/web/app-2", False), ("/web/app", True)):
        stubber.add_response("describe_log_groups", {"logGroups": [{"logGroupName": name}]})
        assert read("logs", logs, GROUP) is there


def test_a_cluster_that_was_deleted_is_still_described(stub: Stub) -> None:
    ecs, stubber = stub("ecs")
    for status, there in (("INACTIVE", False), ("ACTIVE", True)):
        stubber.add_response("describe_clusters", {"clusters": [{"status": status}]})
        assert read("ecs", ecs, Named("Cluster", "AWS::ECS::Cluster", "web")) is there


def test_a_security_group_is_looked_for_in_its_vpc(stub: Stub) -> None:
    ec2, stubber = stub("ec2")
    filters = [
        {"Name": "group-name", "Values": ["web"]},
        {"Name": "vpc-id", "Values": ["vpc-00000001"]},
    ]
    stubber.add_response("describe_security_groups", {"SecurityGroups": []}, {"Filters": filters})
    assert not read("ec2", ec2, Named("Group", "AWS::EC2::SecurityGroup", "web", "vpc-00000001"))


def test_without_permission_to_check_names_nothing_is_refused_beforehand(stub: Stub) -> None:
    logs, stubber = stub("logs")
    stubber.add_client_error("describe_log_groups", "AccessDeniedException")
    assert not read("logs", logs, GROUP)


def test_for_resource_types_that_cannot_be_checked_nothing_is_certain() -> None:
    [one] = taken.read(cast(Any, None), [Named("Key", "AWS::KMS::Key", "web")])
    assert not one.certain


def test_every_type_that_a_template_names_can_be_checked() -> None:
    assert set(names._NAME) <= set(taken._EXISTS)


def test_a_service_is_looked_for_in_its_cluster(stub: Stub) -> None:
    service = Named("Service", "AWS::ECS::Service", "web", "cluster")
    ecs, stubber = stub("ecs")
    for status, there in (("INACTIVE", False), ("ACTIVE", True)):
        expected = {"cluster": "cluster", "services": ["web"]}
        stubber.add_response("describe_services", {"services": [{"status": status}]}, expected)
        assert read("ecs", ecs, service) is there
    # A new system has no cluster.
    stubber.add_client_error("describe_services", "ClusterNotFoundException")
    assert not read("ecs", ecs, service)
