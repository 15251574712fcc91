"""Names that are taken fail a change set before anything is made, and an event says which."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect

GROUP = "AWS::Logs::LogGroup"


def template(name: str, **more: Any) -> str:
    group = {"Type": GROUP, "DeletionPolicy": "Retain", "Properties": {"LogGroupName": name}}
    return json.dumps({"Resources": {"Group": group | more}})


def made(cloudformation: Any, name: str, **options: Any) -> Any:
    identifier = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=template(name),
        **options,
    )["Id"]
    return cloudformation.describe_change_set(ChangeSetName=identifier)


def test_a_name_that_is_taken_fails_the_change_set_and_the_event_names_it(
    connect: Connect, plain: Connect, unique: str
) -> None:
    cloudformation = connect("cloudformation")
    connect("logs").create_log_group(logGroupName=unique)
    assert made(plain("cloudformation"), unique)["Status"] == "CREATE_COMPLETE"
    cloudformation.delete_change_set(StackName=unique, ChangeSetName="first")

    failed = made(cloudformation, unique)
    assert failed["Status"] == "FAILED"
    assert "[AWS::EarlyValidation::ResourceExistenceCheck]" in failed["StatusReason"]
    [event] = cloudformation.describe_events(
        ChangeSetName=failed["ChangeSetId"], Filters={"FailedEvents": True}
    )["OperationEvents"]
    assert event["ValidationStatusReason"] == (
        f"Resource of type '{GROUP}' with identifier '{unique}' already exists."
    )
    assert event["ValidationPath"] == "/Resources/Group/Properties/LogGroupName"
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_events(ChangeSetName="first", StackName=unique)


def test_a_retained_resource_is_imported_when_that_is_asked_for(
    connect: Connect, unique: str
) -> None:
    cloudformation = connect("cloudformation")
    connect("logs").create_log_group(logGroupName=unique)
    taken = made(cloudformation, unique, ImportExistingResources=True)
    assert taken["Status"] == "CREATE_COMPLETE"
    [change] = taken["Changes"]
    assert change["ResourceChange"]["Action"] == "Import"
    cloudformation.execute_change_set(ChangeSetName=taken["ChangeSetId"])
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
