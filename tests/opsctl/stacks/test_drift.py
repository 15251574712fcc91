"""What somebody changed outside of the stack: shown, and reverted on request."""

from dataclasses import replace
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.procedure import Notice
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.taken import Named
from opsctl.stacks import change, definition
from opsctl.stacks.changes import Plan
from tests.opsctl.snapshots import Driven, config, stack, stacks
from tests.opsctl.stacks.fake import Clients, CloudFormation

STACK = definition.db(config())
EXISTS = stacks(stack("db", "CREATE_COMPLETE"))


def up(aws: CloudFormation, *snapshots: Snapshot) -> Driven:
    procedure = change.up(cast(Any, Clients(aws)), STACK, bucket=None, sleep=lambda _: None)
    return Driven(procedure, snapshots, [True])


MADE = [
    {
        "LogicalResourceId": name,
        "ResourceType": "X",
        "ResourceStatus": "CREATE_COMPLETE",
        **physical,
    }
    for name, physical in (
        ("CacheCluster", {"PhysicalResourceId": "web-redis"}),
        ("SecurityGroup", {"PhysicalResourceId": "sg-1"}),
    )
]


def there(*logical_ids: str, certain: bool = True) -> Snapshot:
    found = tuple(Named(one, "X", one, certain=certain) for one in logical_ids)
    return replace(EXISTS, taken=found)


def test_what_somebody_deleted_is_told_with_the_command_that_makes_it_anew() -> None:
    # A change set compares templates: it says "no changes" while the cache is gone.
    aws = CloudFormation(changes=())
    aws.resources = MADE
    aws.template = STACK.template
    driven = up(aws, there("SecurityGroup"))
    [notice] = driven.of(Notice)
    assert notice.warning and "AWS::ElastiCache::CacheCluster `web-redis`" in notice.text
    assert notice.text.endswith("opsctl db up --revert-drift")


def test_what_has_no_name_is_looked_for_by_its_id() -> None:
    aws = CloudFormation(changes=())
    ids = {
        "Role": ("AWS::IAM::Role", "web-ecs-Role-1"),
        "RedisIngress": ("AWS::EC2::SecurityGroupIngress", "sgr-1"),
        "OldIngress": ("AWS::EC2::SecurityGroupIngress", "OldIngress"),
        "Group": ("AWS::AutoScaling::AutoScalingGroup", "web-ecs-Group-1"),
    }
    aws.resources = [
        {
            "LogicalResourceId": name,
            "ResourceType": type,
            "ResourceStatus": "CREATE_COMPLETE",
            "PhysicalResourceId": id,
        }
        for name, (type, id) in ids.items()
    ]
    aws.template = STACK.template
    driven = up(aws, there("Group"))
    assert [notice.text.partition(", which")[0] for notice in driven.of(Notice)] == [
        "Role: somebody deleted the AWS::IAM::Role `web-ecs-Role-1`",
        "RedisIngress: somebody deleted the AWS::EC2::SecurityGroupIngress `sgr-1`",
    ]


def test_what_only_will_have_another_name_is_not_called_deleted() -> None:
    aws = CloudFormation(changes=())
    aws.resources = MADE
    aws.template = STACK.template.replace('GroupName: "web-redis"', 'GroupName: "before"')
    assert aws.template != STACK.template
    looks = (EXISTS, there("CacheCluster"), there())  # at the stack, what it made, the new name
    assert up(aws, *looks).of(Notice) == []


@pytest.mark.parametrize("certain", [True, False])
def test_what_is_there_or_may_be_there_is_not_called_deleted(certain: bool) -> None:
    aws = CloudFormation(changes=())
    aws.resources = MADE
    aws.template = STACK.template
    driven = up(aws, there("CacheCluster", "SecurityGroup", certain=certain))
    assert driven.of(Notice) == []


@pytest.mark.parametrize("changes", [(), ("CacheCluster",)])
def test_an_endpoint_that_ignores_the_wish_to_revert_drift_is_noticed(
    changes: tuple[str, ...],
) -> None:
    # It said "no changes" of a cache that was gone.
    aws = CloudFormation(changes=changes)
    aws.knows_drift = False
    wanted = replace(STACK, reverts_drift=True)
    with pytest.raises(OpsError, match="does not know drift-aware change sets"):
        Driven(change.preview(cast(Any, Clients(aws)), wanted, bucket=None), [EXISTS])
    assert "DeleteChangeSet" in aws.calls


def test_drift_is_reverted_by_a_change_set_that_looks_at_what_is_there() -> None:
    aws = CloudFormation()
    aws.details = {"ResourceDriftStatus": "DELETED", "Action": "Add"}
    clients = cast(Any, Clients(aws))
    given: list[Any] = []
    aws.before = lambda _: given.extend(aws.change_sets.values())
    stack_ = replace(STACK, reverts_drift=True)
    driven = Driven(change.preview(clients, stack_, bucket=None), [EXISTS])
    [plan] = driven.of(Plan)
    assert given[0]["DeploymentMode"] == "REVERT_DRIFT"
    assert plan.changes[0].effect == "deleted outside of the stack"
    assert driven.of(Notice) == []
