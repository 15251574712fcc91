"""A change set's properties, before and after."""

import json
from typing import Any

from tests.opsctl_sandbox.clients import Connect


def body(days: int) -> str:
    group = {"RetentionInDays": days, "LogGroupName": {"Ref": "Name"}}
    topic = {"DisplayName": {"Ref": "Word"}}
    return json.dumps(
        {
            "Parameters": {
                "Name": {"Type": "String"},
                "Word": {"Type": "String", "NoEcho": True},
            },
            "Resources": {
                "Group": {"Type": "AWS::Logs::LogGroup", "Properties": group},
                "Topic": {"Type": "AWS::SNS::Topic", "Properties": topic},
            },
        }
    )


def test_values_are_shown_when_asked_for_except_those_that_nobody_may_see(
    connect: Connect, plain: Connect, unique: str
) -> None:
    cloudformation = connect("cloudformation")

    def given(days: int, word: str) -> dict[str, Any]:
        parameters = {"Name": unique, "Word": word}
        pairs = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
        return {"StackName": unique, "TemplateBody": body(days), "Parameters": pairs}

    cloudformation.create_stack(**given(3, "one"))
    wait = {"Delay": 1, "MaxAttempts": 20}
    cloudformation.get_waiter("stack_create_complete").wait(StackName=unique, WaiterConfig=wait)
    cloudformation.create_change_set(ChangeSetName="next", **given(5, "two"))
    cloudformation.get_waiter("change_set_create_complete").wait(
        StackName=unique, ChangeSetName="next", WaiterConfig=wait
    )

    def values(client: Any, **more: Any) -> dict[str, tuple[str, str]]:
        answer = client.describe_change_set(StackName=unique, ChangeSetName="next", **more)
        targets = [
            detail["Target"]
            for change in answer["Changes"]
            for detail in change["ResourceChange"]["Details"]
        ]
        return {
            one["Name"]: (one.get("BeforeValue", ""), one.get("AfterValue", "")) for one in targets
        }

    shown = {"RetentionInDays": ("3", "5"), "DisplayName": ("****", "****")}
    assert values(cloudformation, IncludePropertyValues=True) == shown
    assert set(values(cloudformation).values()) == {("", "")}
    assert set(values(plain("cloudformation"), IncludePropertyValues=True).values()) == {("", "")}
