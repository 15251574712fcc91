"""A template that refers to what it does not have is refused by every call that brings it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect

GROUP = "AWS::Logs::LogGroup"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (
            {
                "Resources": {
                    "Group": {"Type": GROUP, "Properties": {"LogGroupName": {"Ref": "No"}}}
                }
            },
            r"Unresolved resource dependencies \[No\] in the Resources block of the template",
        ),
        (
            {"Resources": {"Group": {"Type": GROUP}}, "Outputs": {"A": {"Value": {"Ref": "B"}}}},
            r"Unresolved resource dependencies \[B\] in the Outputs block of the template",
        ),
    ],
)
def test_a_name_that_the_template_does_not_have_is_refused(
    connect: Connect, unique: str, template: dict[str, Any], sentence: str
) -> None:
    cloudformation = connect("cloudformation")
    given = {"StackName": unique, "TemplateBody": json.dumps(template)}
    with pytest.raises(ClientError, match=sentence):
        cloudformation.create_stack(**given)
    with pytest.raises(ClientError, match=sentence):
        cloudformation.create_change_set(ChangeSetName="c", ChangeSetType="CREATE", **given)


def test_parameters_resources_and_pseudo_parameters_are_known(
    connect: Connect, unique: str
) -> None:
    group = {"Fn::Sub": ["${Name}-${AWS::Region}-${own}", {"own": "x"}]}
    template = {
        "Parameters": {"Name": {"Type": "String", "Default": unique}},
        "Resources": {"Group": {"Type": GROUP, "Properties": {"LogGroupName": group}}},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": "Group.Arn"}}},
    }
    connect("cloudformation").validate_template(TemplateBody=json.dumps(template))


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "AWS::Region"},
        {"Fn::Join": ["-", ["us", {"Ref": "East"}]]},
        {"Fn::Sub": "us-${East}"},
        {"Fn::FindInMap": ["Regions", "here", "name"]},
        {"Fn::Select": [0, {"Fn::Split": [",", "us-east-1,x"]}]},
    ],
)
def test_a_condition_compares_what_functions_return(
    connect: Connect, unique: str, value: dict[str, Any]
) -> None:
    group = {"Type": GROUP, "Properties": {"LogGroupName": unique}}
    template = {
        "Parameters": {"East": {"Type": "String", "Default": "east-1"}},
        "Mappings": {"Regions": {"here": {"name": "us-east-1"}}},
        "Conditions": {
            "Here": {"Fn::Equals": [value, "us-east-1"]},
            "Elsewhere": {"Fn::Not": [{"Condition": "Here"}]},
        },
        "Resources": {"Group": {**group, "Condition": "Elsewhere"}, "Other": {"Type": GROUP}},
        "Outputs": {"Here": {"Condition": "Here", "Value": "yes"}},
    }
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(StackName=unique, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    [stack] = cloudformation.describe_stacks(StackName=unique)["Stacks"]
    assert [one["OutputKey"] for one in stack["Outputs"]] == ["Here"]
    resources = cloudformation.list_stack_resources(StackName=unique)["StackResourceSummaries"]
    assert [one["LogicalResourceId"] for one in resources] == ["Other"]
