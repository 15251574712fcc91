"""Names that are taken and properties that AWS does not know are refused before anything is made;
an event says which.
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect
from tests.opsctl_sandbox.fleet import until

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


BAD = json.dumps(
    {"Resources": {"Group": {"Type": GROUP, "Properties": {"RetentionInDays": 8, "Days": 7}}}}
)
REASONS = {
    "/Resources/Group/Properties": "Unsupported property [Days]",
    "/Resources/Group/Properties/RetentionInDays": "8 is not a valid enum value.",
}


def require_reasons(events: list[Any]) -> None:
    by_path = {one["ValidationPath"]: one for one in events if "ValidationPath" in one}
    assert by_path.keys() == REASONS.keys()
    for path, event in by_path.items():
        assert event["ValidationStatusReason"].startswith(REASONS[path])
        assert (event["LogicalResourceId"], event["ResourceType"]) == ("Group", GROUP)
        assert event["ValidationName"] == "PROPERTY_VALIDATION"


def test_a_change_set_with_wrong_properties_fails_and_its_events_name_each(
    connect: Connect, unique: str
) -> None:
    cloudformation = connect("cloudformation")
    cloudformation.validate_template(TemplateBody=BAD)  # does not look at properties
    given = {"StackName": unique, "ChangeSetType": "CREATE", "TemplateBody": BAD}
    identifier = cloudformation.create_change_set(ChangeSetName="first", **given)["Id"]
    failed = cloudformation.describe_change_set(ChangeSetName=identifier)
    assert (failed["Status"], failed["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "[AWS::EarlyValidation::PropertyValidation]" in failed["StatusReason"]
    require_reasons(cloudformation.describe_events(ChangeSetName=identifier)["OperationEvents"])
    passed = cloudformation.create_change_set(
        ChangeSetName="second", DisableValidation=True, **given
    )["Id"]
    assert cloudformation.describe_change_set(ChangeSetName=passed)["Status"] == "CREATE_COMPLETE"


def ended(cloudformation: Any, name: str, status: str) -> list[Any]:
    """The events of a stack that is in this status, newest first."""

    def there() -> bool:
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        return bool(stack["StackStatus"] == status)

    until(there)
    return list(cloudformation.describe_stack_events(StackName=name)["StackEvents"])


def test_a_stack_with_wrong_properties_is_refused_as_a_whole(connect: Connect, unique: str) -> None:
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(StackName=unique, TemplateBody=BAD)
    events = ended(cloudformation, unique, "ROLLBACK_COMPLETE")
    assert {one["LogicalResourceId"] for one in events} == {unique}
    assert any("Validation failed with 2 error(s)" in one["ResourceStatusReason"] for one in events)
    require_reasons(cloudformation.describe_events(StackName=unique)["OperationEvents"])


def test_an_update_with_a_wrong_property_leaves_the_stack_as_it_was(
    connect: Connect, unique: str
) -> None:
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(StackName=unique, TemplateBody=template(unique))
    ended(cloudformation, unique, "CREATE_COMPLETE")
    cloudformation.update_stack(
        StackName=unique, TemplateBody=template(unique, Properties={"RetentionInDays": 8})
    )
    ended(cloudformation, unique, "UPDATE_ROLLBACK_COMPLETE")
    body = cloudformation.get_template(StackName=unique)["TemplateBody"]
    assert "RetentionInDays" not in json.dumps(body)


def test_what_is_known_only_when_it_is_made_fails_the_resource(
    connect: Connect, unique: str
) -> None:
    group = {"Type": GROUP, "Properties": {"LogGroupName": {"Ref": "Topic"}}}
    body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}, "Group": group}})
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(StackName=unique, TemplateBody=body)
    events = ended(cloudformation, unique, "ROLLBACK_COMPLETE")
    [failed] = [one for one in events if one["ResourceStatus"] == "CREATE_FAILED"]
    assert failed["LogicalResourceId"] == "Group"
    assert failed["ResourceStatusReason"] == (
        "Properties validation failed for resource Group with message:\n"
        "#/LogGroupName: failed validation constraint for keyword [pattern]"
    )


def test_an_alarm_that_cloudwatch_does_not_take_fails_in_its_words(
    connect: Connect, unique: str
) -> None:
    alarm = {
        "MetricName": "m",
        "Namespace": "n",
        "Statistic": "Sum",
        "Period": 7,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "LessThanThreshold",
    }
    body = {"Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm}}}
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(StackName=unique, TemplateBody=json.dumps(body))
    events = ended(cloudformation, unique, "ROLLBACK_COMPLETE")
    [failed] = [one for one in events if one["ResourceStatus"] == "CREATE_FAILED"]
    assert "Period must be 10, 20, 30 or a multiple of 60" in failed["ResourceStatusReason"]
