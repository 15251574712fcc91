"""Resources that exist already are taken over: in AWS's time, with its events and failures."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from opsctl_sandbox.process.home import Sandbox
from tests.opsctl_sandbox.clients import Connect, post
from tests.opsctl_sandbox.fleet import until

GROUP, TOPIC = "AWS::Logs::LogGroup", "AWS::SNS::Topic"


@pytest.fixture
def fail(sandbox: Sandbox) -> Iterator[Callable[..., None]]:
    def plan(*failures: dict[str, Any]) -> None:
        assert len(post(sandbox, "failures", failures)) == len(failures)

    yield plan
    plan()


def executed(connect: Connect, name: str, template: dict[str, Any], **more: Any) -> list[Any]:
    """Create and execute a change set; return the stack's events, oldest first."""
    cloudformation = connect("cloudformation")
    made = cloudformation.create_change_set(
        StackName=name, ChangeSetName="take", TemplateBody=json.dumps(template), **more
    )
    cloudformation.execute_change_set(ChangeSetName=made["Id"])

    def rests() -> bool:
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        return not stack["StackStatus"].endswith("_IN_PROGRESS")

    until(rests)
    return list(reversed(cloudformation.describe_stack_events(StackName=name)["StackEvents"]))


def group(name: str) -> dict[str, Any]:
    return {"Type": GROUP, "DeletionPolicy": "Retain", "Properties": {"LogGroupName": name}}


def imported(connect: Connect, name: str) -> list[Any]:
    """A stack that takes over a log group and makes a topic."""
    connect("logs").create_log_group(logGroupName=name)
    topic = {"Type": TOPIC, "DependsOn": "Group"}
    template = {"Resources": {"Group": group(name), "Topic": topic}}
    options = {"ChangeSetType": "CREATE", "ImportExistingResources": True}
    return executed(connect, name, template, **options)


def of(events: list[dict[str, Any]], logical_id: str) -> list[str]:
    return [one["ResourceStatus"] for one in events if one["LogicalResourceId"] == logical_id]


def test_what_is_taken_over_takes_its_time_beside_what_is_made(
    connect: Connect, unique: str
) -> None:
    events = imported(connect, unique)
    assert of(events, "Group") == [
        *("IMPORT_IN_PROGRESS", "IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"),
        *("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"),
    ]
    assert of(events, "Topic")[-1] == "CREATE_COMPLETE"
    first, *_, last = [one["Timestamp"] for one in events if one["LogicalResourceId"] == "Group"]
    assert last > first


def test_what_cannot_be_taken_over_fails_the_stack_and_stays(
    connect: Connect, fail: Callable[..., None], unique: str
) -> None:
    fail({"kind": "resource-fails", "match": "Topic", "times": 1})
    events = imported(connect, unique)
    assert of(events, unique)[-1] == "ROLLBACK_COMPLETE"
    assert of(events, "Group")[-1].startswith("IMPORT_ROLLBACK"), of(events, "Group")
    groups = connect("logs").describe_log_groups(logGroupNamePrefix=unique)["logGroups"]
    assert [one["logGroupName"] for one in groups] == [unique]

    fail({"kind": "resource-fails", "match": "Group", "times": 1})
    connect("logs").delete_log_group(logGroupName=unique)
    events = imported(connect, f"{unique}x")
    assert "IMPORT_FAILED" in of(events, "Group")


def only_imported(connect: Connect, name: str) -> list[Any]:
    """A stack of a topic that imports a log group by a change set of that type."""
    cloudformation = connect("cloudformation")
    topic = {"Type": TOPIC, "DeletionPolicy": "Retain"}
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": {"Topic": topic}})
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    connect("logs").create_log_group(logGroupName=name)
    identifier = {"LogGroupName": name}
    wanted = {
        "ResourceType": GROUP,
        "LogicalResourceId": "Group",
        "ResourceIdentifier": identifier,
    }
    template = {"Resources": {"Topic": topic, "Group": group(name)}}
    options = {"ChangeSetType": "IMPORT", "ResourcesToImport": [wanted]}
    return executed(connect, name, template, **options)


@pytest.mark.parametrize(
    ("failures", "statuses"),
    [
        ((), ("IMPORT_IN_PROGRESS", "IMPORT_COMPLETE")),
        (
            ("resource-fails",),
            ("IMPORT_IN_PROGRESS", "IMPORT_ROLLBACK_IN_PROGRESS", "IMPORT_ROLLBACK_COMPLETE"),
        ),
        (
            ("resource-fails", "update-rollback-fails"),
            ("IMPORT_IN_PROGRESS", "IMPORT_ROLLBACK_IN_PROGRESS", "IMPORT_ROLLBACK_FAILED"),
        ),
    ],
)
def test_a_change_set_that_only_imports_ends_in_every_way(
    connect: Connect,
    fail: Callable[..., None],
    unique: str,
    failures: tuple[str, ...],
    statuses: tuple[str, ...],
) -> None:
    fail(*({"kind": kind, "match": "Group", "times": 1} for kind in failures))
    events = only_imported(connect, unique)
    assert tuple(of(events, unique)[2:]) == statuses, "after the creation"
    assert ("IMPORT_FAILED" in of(events, "Group")) == bool(failures)
