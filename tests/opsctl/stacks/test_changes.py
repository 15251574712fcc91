"""Change sets read from the API's answers, and said in plain words."""

from typing import Any

import pytest

from opsctl.stacks import changes, definition
from opsctl.stacks.changes import Change, Plan, PropertyChange
from tests.opsctl.snapshots import config


def resource_change(action: str = "Modify", type: str = "AWS::SNS::Topic", **more: Any) -> Any:
    found = {"Action": action, "LogicalResourceId": "It", "ResourceType": type, **more}
    return {"Type": "Resource", "ResourceChange": found}


def detail(name: str, recreation: str = "Never", **more: Any) -> Any:
    return {"Target": {"Name": name, "RequiresRecreation": recreation, **more}}


def test_replacements_come_first_and_removals_second() -> None:
    read = changes.read(
        [
            resource_change("Add"),
            resource_change("Remove"),
            resource_change("Modify", Replacement="True"),
        ]
    )

    assert [each.action for each in read] == ["Modify", "Remove", "Add"]


def test_a_property_that_the_api_lists_twice_is_one_change() -> None:
    [read] = changes.read(
        [resource_change(Details=[detail("Name"), detail("Name", "Always", AfterValue="b")])]
    )

    assert read.properties == (PropertyChange("Name", recreates=True, after="b"),)


@pytest.mark.parametrize(("before", "replaces"), [("3", False), ("", True)])
def test_only_the_first_shards_may_replace_a_cache(before: str, replaces: bool) -> None:
    shards = detail("NumNodeGroups", "Conditionally", BeforeValue=before, AfterValue="4")
    group = {"type": "AWS::ElastiCache::ReplicationGroup", "Replacement": "Conditional"}
    [read] = changes.read([resource_change(**group, Details=[shards])])
    assert read.may_replace is replaces


@pytest.mark.parametrize(
    ("change", "effect", "loss"),
    [
        (
            Change("SyncWithActual", "Group", "AWS::AutoScaling::AutoScalingGroup"),
            "the stack takes note of it, and nothing changes",
            "",
        ),
        (
            Change("Modify", "Service", "AWS::ECS::Service", drift="MODIFIED"),
            "changed outside of the stack",
            "",
        ),
        (Change("Add", "Cache", "AWS::ElastiCache::CacheCluster"), "", ""),
        (
            Change("Remove", "Cache", "AWS::ElastiCache::CacheCluster"),
            "removed; the cache empties",
            "the cache empties",
        ),
        (
            Change(
                "Modify",
                "Cache",
                "AWS::ElastiCache::CacheCluster",
                "True",
                (PropertyChange("ClusterName", True),),
            ),
            "replaced because of ClusterName; the cache empties",
            "the cache empties",
        ),
        (
            Change(
                "Modify",
                "Cache",
                "AWS::ElastiCache::CacheCluster",
                "False",
                (PropertyChange("CacheNodeType", False),),
            ),
            "the node is exchanged: an interruption; AWS keeps the data where it can",
            "",
        ),
        (
            Change("Modify", "Tasks", "AWS::ECS::TaskDefinition", "True"),
            "a new revision; the tasks are rolled",
            "",
        ),
        (
            Change("Modify", "Balancer", "AWS::ElasticLoadBalancingV2::LoadBalancer", "True"),
            "replaced; clients lose its DNS name",
            "clients lose its DNS name",
        ),
        (
            Change(
                "Modify",
                "Cache",
                "AWS::ElastiCache::ReplicationGroup",
                "Conditional",
                (PropertyChange("AuthToken", True),),
            ),
            "may be replaced because of AuthToken; the cache empties",
            "the cache empties",
        ),
        (
            Change(
                "Modify",
                "Cache",
                "AWS::ElastiCache::ReplicationGroup",
                "Conditional",
                (PropertyChange("NumNodeGroups", False, "3", "4"),),
            ),
            "slots move between the shards while it runs",
            "",
        ),
        (
            Change(
                "Modify",
                "Service",
                "AWS::ECS::Service",
                "Conditional",
                (PropertyChange("LaunchType", True),),
            ),
            "the tasks are rolled onto the capacity provider or off",
            "",
        ),
        (
            Change(
                "Modify",
                "Service",
                "AWS::ECS::Service",
                "False",
                (PropertyChange("ForceNewDeployment", False),),
            ),
            "the tasks are rolled onto the capacity provider or off",
            "",
        ),
        (
            Change(
                "Modify",
                "Group",
                "AWS::AutoScaling::AutoScalingGroup",
                "False",
                (PropertyChange("VPCZoneIdentifier", False),),
            ),
            "Auto Scaling balances its zones anew, and ends instances together with their tasks",
            "",
        ),
        (
            Change("Remove", "Service", "AWS::ECS::Service"),
            "removed; every task stops",
            "every task stops",
        ),
        (
            Change("Import", "Logs", "AWS::Logs::LogGroup"),
            "exists already, and is taken over",
            "",
        ),
        (
            Change(
                "Modify",
                "Service",
                "AWS::ECS::Service",
                "False",
                (PropertyChange("DesiredCount", False, "8"),),
            ),
            "from now on the scaling sets the count",
            "",
        ),
    ],
)
def test_each_change_says_what_it_does(change: Change, effect: str, loss: str) -> None:
    assert (change.effect, change.loss) == (effect, loss)


STACK = definition.db(config())
EMPTYING = Change("Modify", "Cache", "AWS::ElastiCache::CacheCluster", "True")


def test_a_plan_without_changes_is_a_value_not_an_error() -> None:
    assert Plan(STACK, "UPDATE").is_empty


def test_a_change_set_without_changes_of_resources_changes_outputs() -> None:
    plan = Plan(STACK, "UPDATE", (), "arn:change-set", "arn:stack")
    assert plan.only_outputs and not plan.is_empty and not plan.losses


def test_only_a_stack_that_exists_has_anything_to_lose() -> None:
    assert Plan(STACK, "UPDATE", (EMPTYING,)).losses == (EMPTYING,)
    assert Plan(STACK, "CREATE", (EMPTYING,)).losses == ()


def test_a_template_is_a_list_of_additions() -> None:
    added = changes.of_template(STACK.template)
    assert {change.action for change in added} == {"Add"}
    assert ("CacheCluster", "AWS::ElastiCache::CacheCluster") in {
        (change.logical_id, change.resource_type) for change in added
    }
