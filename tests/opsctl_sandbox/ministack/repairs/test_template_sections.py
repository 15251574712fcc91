"""A template with a section, a condition or a function that CloudFormation cannot read."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from opsctl_sandbox.ministack.repairs import templates
from tests.opsctl_sandbox.clients import Connect

TOPIC = {"T": {"Type": "AWS::SNS::Topic"}}
FORMAT, ERROR = "Template format error: ", "Template error: "


def named(value: Any) -> dict[str, Any]:
    return {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": value}}}}


def conditions(**members: Any) -> dict[str, Any]:
    return {"Conditions": members, "Resources": TOPIC}


def says(template: dict[str, Any]) -> str:
    return next(templates.problems({"Resources": TOPIC, **template}), "")


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (
            {"AWSTemplateFormatVersion": "2011-01-01"},
            f"{FORMAT}2011-01-01 is not a supported value for AWSTemplateFormatVersion.",
        ),
        ({"Description": ["a"]}, f"{FORMAT}Description must be a string."),
        ({"Parameters": ["a"]}, f"{FORMAT}Parameters must be a map."),
        (
            {"Parameters": {"a-b": {"Type": "String"}}},
            f"{FORMAT}Parameter name a-b is non alphanumeric.",
        ),
        (
            {"Parameters": {"A": {"Default": "a"}}},
            f"{FORMAT}Every Parameters object must contain a Type member.",
        ),
        (
            {"Parameters": {"A": {"Type": "String", "Properties": {}}}},
            "Invalid template parameter property 'Properties'",
        ),
        (
            {"Mappings": {"M": {"a": "b"}}},
            f"{FORMAT}[/Mappings/M] Every Mappings attribute must be a String or a List.",
        ),
        (
            {"Mappings": {"M": {"a": {"b": {"Ref": "AWS::Region"}}}}},
            f"{FORMAT}[/Mappings/M] Every Mappings attribute must be a String or a List.",
        ),
        (
            {"Outputs": {"a_b": {"Value": "x"}}},
            f"{FORMAT}Outputs name 'a_b' is non alphanumeric.",
        ),
        (
            {"Outputs": {"O": {"Value": "x", "Export": {}}}},
            f"{FORMAT}[/Outputs/O/Export] Every Export must contain a Name.",
        ),
        (
            conditions(C={"Fn::Equals": [{"Ref": "T"}, "a"]}),
            f"{FORMAT}Unresolved dependencies [T]. Cannot reference resources in the Conditions "
            "block of the template",
        ),
        (
            conditions(C=True),
            f"{FORMAT}Conditions can only be boolean operations on parameters and other conditions",
        ),
        (
            conditions(A={"Fn::Not": [{"Condition": "B"}]}),
            f"{ERROR}unresolved condition dependency B in Condition",
        ),
        (
            conditions(A={"Fn::Not": [{"Condition": "B"}]}, B={"Fn::Not": [{"Condition": "A"}]}),
            f"{ERROR}Found circular condition dependency between A and B",
        ),
        (
            conditions(C={"Fn::Equals": ["a"]}),
            f"{ERROR}Fn::Equals requires a list argument with two elements",
        ),
        (
            conditions(C={"Fn::Or": [{"Fn::Equals": ["a", "a"]}]}),
            f"{ERROR}every Fn::Or object requires a list of at least 2 and at most 10 boolean "
            "parameters.",
        ),
        (
            conditions(C={"Fn::Not": ["a"]}),
            f"{ERROR}Fn::Not requires a list argument with one function token",
        ),
        (
            {**conditions(C={"Fn::Equals": ["a", "a"]}), **named({"Fn::If": ["C", "a"]})},
            f"{ERROR}Fn::If requires a list argument with three elements",
        ),
        (
            named({"Fn::Base64": ["a"]}),
            f"{ERROR}every Fn::Base64 object must have a String-typed value.",
        ),
        (
            named({"Fn::Select": [1]}),
            f"{ERROR}Fn::Select requires a list argument with two elements: an integer index and "
            "a list",
        ),
        (named({"Fn::Split": [","]}), f"{ERROR}every Fn::Split object requires two parameters"),
        (
            named({"Fn::Sub": "a-${AWS::Nope}"}),
            f"{FORMAT}Unresolved resource dependencies [AWS::Nope] in the Resources block of the "
            "template",
        ),
        (
            {
                "Parameters": {"P": {"Type": "String"}},
                "Resources": {"T": {"Type": "AWS::SNS::Topic", "DependsOn": "P"}},
            },
            f"{FORMAT}Unresolved resource dependencies [P] in the Resources block of the template",
        ),
    ],
)
def test_it_is_refused_in_aws_s_words(template: dict[str, Any], sentence: str) -> None:
    assert says(template) == sentence


@pytest.mark.parametrize(
    ("function", "argument", "beginning"),
    [
        ("Fn::Join", ["a"], "every Fn::Join object requires two parameters"),
        ("Fn::FindInMap", ["a", "b"], "every Fn::FindInMap object requires three parameters"),
        ("Fn::Sub", ["a", ["b"]], "One or more Fn::Sub intrinsic functions don't specify"),
        ("Fn::And", [], "every Fn::And object requires a list of at least 2"),
    ],
)
def test_a_function_says_what_it_requires(function: str, argument: Any, beginning: str) -> None:
    assert says(named({function: argument})).startswith(ERROR + beginning)


def test_what_cloudformation_takes_is_taken() -> None:
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": {"P": {"Type": "String", "Default": "a", "NoEcho": True}},
        "Mappings": {"M": {"a": {"b": ["c"], "d": 1}}},
        "Conditions": {
            "A": {"Fn::Equals": [{"Fn::FindInMap": ["M", "a", "d"]}, {"Ref": "AWS::Region"}]},
            "B": {"Fn::And": [{"Condition": "A"}, {"Fn::Not": [{"Condition": "A"}]}]},
            "C": {"Condition": "B"},
        },
        **named({"Fn::If": ["C", {"Fn::Sub": ["${x}", {"x": {"Ref": "P"}}]}, "b"]}),
        "Outputs": {"O": {"Value": "x", "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-O"}}}},
    }
    assert says(template) == ""


@pytest.mark.parametrize(
    ("made", "sentences"),
    [
        (True, []),
        (
            False,
            [
                f"{FORMAT}Unresolved resource dependencies [T] in the {block} block of the template"
                for block in ("Resources", "Outputs")
            ],
        ),
    ],
)
def test_a_reference_to_a_resource_that_its_condition_leaves_out_is_refused(
    made: bool, sentences: list[str]
) -> None:
    template = {
        "Resources": {
            "T": {"Type": "AWS::SNS::Topic", "Condition": "C"},
            "P": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "T"}}},
        },
        "Outputs": {"O": {"Value": {"Fn::GetAtt": ["T", "TopicName"]}}},
    }
    assert list(templates.absences(template, {"C": made})) == sentences


def test_references_that_a_condition_leaves_out_too_are_taken() -> None:
    reference = {"Ref": "T"}
    template = {
        "Resources": {
            "T": {"Type": "AWS::SNS::Topic", "Condition": "C"},
            "P": {
                "Type": "AWS::SNS::Topic",
                "Properties": {"TopicName": {"Fn::If": ["C", reference, "x"]}},
            },
            "Q": {
                "Type": "AWS::SNS::Topic",
                "Condition": "C",
                "Properties": {"TopicName": reference},
            },
        },
        "Outputs": {"O": {"Condition": "C", "Value": reference}},
    }
    assert list(templates.absences(template, {"C": False})) == []


def test_conditions_are_judged_before_they_are_evaluated(connect: Connect, unique: str) -> None:
    template = conditions(A={"Fn::Not": [{"Condition": "B"}]}, B={"Fn::Not": [{"Condition": "A"}]})
    with pytest.raises(ClientError, match="circular condition dependency between A and B"):
        connect("cloudformation").create_stack(StackName=unique, TemplateBody=json.dumps(template))
