"""The least policy of a system."""

import itertools
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from opsctl.permissions import policy
from opsctl.permissions.policy import For
from tests.opsctl.snapshots import config

ALL: tuple[For, ...] = ("read", "deploy", "operator", "cloudformation")
ROLE = "arn:aws:iam::123456789012:role/stacks"
MATRIX = Path(__file__).parents[1] / "stacks" / "matrix.yaml"


def allows(document: Any, action: str, resource: str = "*") -> bool:
    return any(
        any(fnmatchcase(action, one) for one in statement["Action"])
        and any(fnmatchcase(resource, one) for one in statement["Resource"])
        for statement in document["Statement"]
    )


def changes(document: Any) -> set[str]:
    """The actions that are not plain reading."""
    actions = itertools.chain(*(statement["Action"] for statement in document["Statement"]))
    reads = (
        *("Describe", "List", "Get", "Filter", "BatchGet", "BatchCheck", "Head", "Simulate"),
        *("StartLiveTail", "StartQuery", "StopQuery"),
    )
    return {one for one in actions if not one.partition(":")[2].startswith(reads)}


def test_a_reader_changes_nothing_and_reads_no_secret() -> None:
    document = policy.policy(config("secrets.values={t: 'secretsmanager:web'}"), "read")
    assert changes(document) == set()
    assert not allows(document, "secretsmanager:GetSecretValue", "arn:x")
    assert allows(
        document, "cloudformation:DescribeStacks", "arn:aws:cloudformation:r:1:stack/web-ecs/1"
    )


def test_a_pipeline_releases_and_builds_nothing() -> None:
    document = policy.policy(config(), "deploy")
    for action in ("cloudformation:ExecuteChangeSet", "ecs:RegisterTaskDefinition", "ecr:PutImage"):
        assert any(action in one["Action"] for one in document["Statement"])
    forbidden = ("ec2:", "elasticache:Create", "iam:CreateRole", "cloudformation:DeleteStack")
    assert not [one for one in changes(document) if one.startswith(forbidden)]


def test_an_operator_may_do_what_the_stacks_need() -> None:
    document = policy.policy(config(), "operator")
    arn = "arn:aws:elasticache:eu-west-1:1:cluster:web-redis"
    assert allows(document, "elasticache:CreateCacheCluster", arn)
    assert not allows(document, "elasticache:DeleteCacheCluster", arn.replace("web-", "other-"))
    assert allows(document, "ec2:RunInstances")
    assert not allows(document, "elasticache:CreateReplicationGroup", arn)


def test_with_a_role_for_cloudformation_nobody_needs_its_rights() -> None:
    chosen = config(f"aws.cloudformation_role={ROLE}")
    document = policy.policy(chosen, "operator")
    assert not [
        one
        for one in changes(document)
        if one.startswith(("ec2:", "elasticache:CreateCache", "ecs:Create"))
    ]
    [passing] = [one for one in document["Statement"] if "iam:PassRole" in one["Action"]]
    assert passing["Resource"] == [ROLE]
    condition = {"StringEquals": {"iam:PassedToService": ["cloudformation.amazonaws.com"]}}
    assert passing["Condition"] == condition
    assert allows(policy.policy(chosen, "cloudformation"), "ec2:RunInstances")
    # IAM takes 6,144 characters in one policy; without the role it is many.
    assert len(policy.parts(document)) <= 2


def test_roles_are_passed_to_the_services_that_take_them_alone() -> None:
    document = policy.policy(config(), "operator")
    for statement in document["Statement"]:
        if "iam:PassRole" in statement["Action"]:
            assert statement["Resource"] == ["arn:aws:iam::*:role/web-ecs-*"]
            assert "ecs-tasks.amazonaws.com" in str(statement["Condition"])
            assert statement["Action"] == ["iam:PassRole"]


@pytest.mark.parametrize("audience", ALL)
def test_nothing_is_allowed_everywhere_that_can_be_narrowed(audience: For) -> None:
    document = policy.policy(config("aws.account='123456789012'", "aws.region=eu-west-1"), audience)
    for statement in document["Statement"]:
        if statement["Resource"] == ["*"]:
            for action in statement["Action"]:
                types = policy.data()["resources"].get(action, [])
                # Ids of EC2 are AWS's, and no dataset is read here; the rest has no resource.
                fine = action.startswith("ec2:") or action == "cloudwatch:GetMetricData"
                assert not types or fine or statement.get("Condition"), action
        else:
            assert all("eu-west-1" in one or "::" in one for one in statement["Resource"])


@pytest.mark.parametrize("audience", ["read", "deploy", "operator"])
@pytest.mark.parametrize(
    "resource",
    [
        "cloudwatch:DescribeAlarms alarm:*",
        "elasticache:DescribeCacheClusters cluster:*",
        "elasticache:DescribeSnapshots snapshot:*",
    ],
)
def test_a_call_that_names_no_single_resource_has_the_right_to_all(
    audience: For, resource: str
) -> None:
    # `alarms`, `db snapshots` and `doctor` were refused with this very policy.
    action, _, tail = resource.partition(" ")
    document = policy.policy(config("aws.account='123456789012'", "aws.region=eu-west-1"), audience)
    service = action.partition(":")[0]
    assert allows(document, action, f"arn:aws:{service}:eu-west-1:123456789012:{tail}")


def test_a_snapshot_has_any_name() -> None:
    document = policy.policy(config(), "operator")
    assert allows(document, "elasticache:CreateSnapshot", "arn:aws:elasticache:*:*:snapshot:*")


@pytest.mark.parametrize("audience", ALL)
def test_the_parts_are_what_iam_takes_and_together_the_whole(audience: For) -> None:
    whole = policy.policy(config(), audience)
    parts = policy.parts(whole)
    assert all(policy.size(part) <= policy.LONGEST for part in parts)
    rights = [
        {
            (action, resource)
            for statement in document["Statement"]
            for action in statement["Action"]
            for resource in statement["Resource"]
        }
        for document in (whole, *parts)
    ]
    assert rights[0] == set().union(*rights[1:])


def test_every_type_of_every_config_has_its_handlers() -> None:
    cases: Any = yaml.safe_load(MATRIX.read_text())
    known = policy.data()["templates"]
    assert cases and known
    for overrides in ([], ["db.kind=replication_group"], ["compute.launch=configuration"]):
        assert set(policy._types(config(*overrides))) <= set(known)


def test_a_region_of_another_partition_has_its_arns() -> None:
    document = policy.policy(config("aws.region=cn-north-1"), "read")
    arns = [one for statement in document["Statement"] for one in statement["Resource"]]
    assert all(one == "*" or one.startswith("arn:aws-cn:") for one in arns)


def test_the_longest_template_decides_about_the_bucket() -> None:
    # With an alarm for each zone 48,918 bytes once the alarms take their actions, and 54,630 before
    # that; without, 41,524.
    subnets = f"network.subnets=[{', '.join(f'subnet-0000000{one}' for one in 'abcdef')}]"
    group = ("db.kind=replication_group", "db.nodes=3", subnets)
    for cross_zone, needed in (("true", False), ("false", True)):
        document = policy.policy(
            config(*group, f"load_balancer.cross_zone={cross_zone}"), "operator"
        )
        put = any("s3:PutObject" in one["Action"] for one in document["Statement"])
        assert put is needed


def test_a_template_that_needs_a_bucket_needs_its_rights() -> None:
    assert not allows(policy.policy(config(), "operator"), "s3:PutObject", "arn:aws:s3:::x/y")
