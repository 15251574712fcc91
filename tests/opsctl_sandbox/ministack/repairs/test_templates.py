"""A template that CloudFormation would refuse is refused by every call that brings it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from ministack.services.cloudformation import engine

from opsctl_sandbox.ministack.repairs import templates
from tests.opsctl_sandbox.clients import Connect

GROUP = "AWS::Logs::LogGroup"
G = {"Type": GROUP}


def resources(**members: Any) -> dict[str, Any]:
    return {"Resources": {"G": {**G, **members}}}


def refers(value: Any) -> dict[str, Any]:
    return resources(Properties={"LogGroupName": value})


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ({}, "Template format error: At least one Resources member must be defined."),
        ({**resources(), "Stacks": 1}, "Invalid template property or properties [Stacks]"),
        (resources(Tags=[]), "Invalid template resource property 'Tags'"),
        (
            {"Resources": {"G": {"Properties": {}}}},
            "Template format error: [/Resources/G] Every Resources object must contain a Type "
            "member.",
        ),
        (
            {"Resources": {"a-b": G}},
            "Template format error: Resource name a-b is non alphanumeric.",
        ),
        (
            resources(DeletionPolicy="Keep"),
            "Template format error: Unrecognized DeletionPolicy Keep for resource G",
        ),
        (
            resources(DeletionPolicy="Snapshot"),
            f"Template error: resource type {GROUP} does not support deletion policy Snapshot",
        ),
        (
            refers(None),
            "[/Resources/G/Properties/LogGroupName] 'null' values are not allowed in templates",
        ),
        (
            {**resources(), "Parameters": {"P": {"Type": "Text"}}},
            "Template format error: Unrecognized parameter type: Text",
        ),
        (
            {**resources(), "Outputs": {"O": {"Description": "no value"}}},
            "Template format error: [/Outputs/O] Every Outputs member must contain a Value object",
        ),
        (
            resources(Condition="No"),
            "Template format error: Unresolved condition dependency No in the Resources block of "
            "the template",
        ),
        (
            refers({"Fn::If": ["No", "a", "b"]}),
            "Template error: unresolved condition dependency No in Fn::If",
        ),
        (
            refers({"Ref": "No"}),
            "Template format error: Unresolved resource dependencies [No] in the Resources block "
            "of the template",
        ),
        (
            resources(DependsOn=["No"]),
            "Template format error: Unresolved resource dependencies [No] in the Resources block "
            "of the template",
        ),
        (
            {**resources(), "Outputs": {"A": {"Value": {"Ref": "B"}}}},
            "Template format error: Unresolved resource dependencies [B] in the Outputs block of "
            "the template",
        ),
        (
            {"Resources": {"A": {**G, "DependsOn": "B"}, "B": {**G, "DependsOn": "A"}, "C": G}},
            "Circular dependency between resources: [A, B]",
        ),
        (resources(DependsOn="G"), "Circular dependency between resources: [G]"),
    ],
)
def test_a_template_is_refused_in_aws_s_words(template: dict[str, Any], sentence: str) -> None:
    assert next(templates.problems(template)) == sentence


def test_a_function_that_does_not_exist_is_refused() -> None:
    [sentence] = templates.problems(refers({"Fn::Ref": "G"}))
    assert sentence.startswith(
        "Template error: Encountered unsupported function: Fn::Ref Supported"
    )


def test_every_call_refuses_it_with_a_validation_error(connect: Connect, unique: str) -> None:
    cloudformation = connect("cloudformation")
    body = json.dumps(refers({"Ref": "No"}))
    given = {"StackName": unique, "TemplateBody": body}
    sentence = r"Template format error: Unresolved resource dependencies \[No\]"
    with pytest.raises(ClientError, match=sentence):
        cloudformation.create_stack(**given)
    with pytest.raises(ClientError, match=sentence):
        cloudformation.create_change_set(ChangeSetName="c", ChangeSetType="CREATE", **given)
    with pytest.raises(ClientError, match=sentence):
        cloudformation.validate_template(TemplateBody=body)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("Resources:\n  A: {Type: B\n", r"YAML not well-formed. \(line 2, column 14\)"),
        ('{"Resources": }', r"JSON not well-formed. \(line 1, column 15\)"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_its_place(
    connect: Connect, body: str, sentence: str
) -> None:
    with pytest.raises(ClientError, match=f"Template format error: {sentence}"):
        connect("cloudformation").validate_template(TemplateBody=body)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"A": "x", "B": "1", "C": "1", "D": "1"}, r"Parameters: \[C, D\] do not exist in the"),
        ({}, r"Parameters: \[A, B\] must have values"),
        ({"A": "z", "B": "1"}, "Parameter 'A' must be one of AllowedValues"),
    ],
)
def test_parameters_that_do_not_fit_the_template_are_refused(
    connect: Connect, unique: str, values: dict[str, str], sentence: str
) -> None:
    parameters = {"A": {"Type": "String", "AllowedValues": ["x", "y"]}, "B": {"Type": "Number"}}
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    body = json.dumps({"Parameters": parameters, **resources()})
    with pytest.raises(ClientError, match=sentence):
        connect("cloudformation").create_stack(
            StackName=unique, TemplateBody=body, Parameters=given
        )


def test_a_template_that_a_macro_changes_is_not_judged() -> None:
    template = {"Transform": "Mine", "Globals": {}, "Resources": {"G": {"Type": "Mine::Is"}}}
    engine._validate_template_statics(template)


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
