"""Change sets read from the API's answers, and said in plain words."""

from typing import Any

import pytest

from opsctl.stacks import changes
from opsctl.stacks.changes import Change, ChangeSet, PropertyChange


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


@pytest.mark.parametrize(
    ("change", "effect", "loses"),
    [
        (Change("Add", "Cache", "AWS::ElastiCache::CacheCluster"), "", False),
        (
            Change("Remove", "Cache", "AWS::ElastiCache::CacheCluster"),
            "removed, with what it holds",
            True,
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
            True,
        ),
        (
            Change(
                "Modify",
                "Cache",
                "AWS::ElastiCache::CacheCluster",
                "False",
                (PropertyChange("CacheNodeType", False),),
            ),
            "the node is exchanged; the cache empties",
            True,
        ),
        (
            Change("Modify", "Tasks", "AWS::ECS::TaskDefinition", "True"),
            "a new revision; the tasks are rolled",
            False,
        ),
        (
            Change("Modify", "Balancer", "AWS::ElasticLoadBalancingV2::LoadBalancer", "True"),
            "replaced",
            False,
        ),
    ],
)
def test_each_change_says_what_it_does(change: Change, effect: str, loses: bool) -> None:
    assert (change.effect, change.loses_data) == (effect, loses)


def test_a_change_set_without_an_id_is_empty() -> None:
    assert ChangeSet(id="", stack="s", stack_id="", kind="UPDATE").is_empty
